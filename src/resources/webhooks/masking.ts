import { isObject } from '../../core/json.ts'
import type { StoredChannel } from './channels.ts'

/** Stands for what is known and not shown. */
export const MASK = '********'

const SECRET_NAME = /secret|token|passw|credential|signature|auth|cookie|key|session/i

/** The configuration of a channel as clients see it. */
export function maskConfigs({ channel, configs }: StoredChannel): Record<string, unknown> {
  if (channel === 'email') return configs
  if (channel === 'slack')
    return {
      ...configs,
      ...(configs.webhook_url && { webhook_url: maskLastSegment(configs.webhook_url) }),
      ...(configs.bot_token && { bot_token: MASK }),
    }
  const { headers, secret, url } = configs
  return {
    ...configs,
    url: maskQuery(url),
    ...(headers && { headers: maskMembers(headers) }),
    ...(secret && { secret: MASK }),
  }
}

const maskMembers = (members: Record<string, string>) =>
  Object.fromEntries(
    Object.entries(members).map(([name, value]) => [name, SECRET_NAME.test(name) ? MASK : value]),
  )

/** Slack's addresses are secrets by their last part. */
const maskLastSegment = (url: string) => url.replace(/[^/]*$/, MASK)

/** Some receivers know their callers by a parameter. The text is changed, not parsed: the rest stays as it is. */
const maskQuery = (url: string) =>
  url.replace(/([?&])([^=&#]+)=([^&#]*)/g, (whole, sign: string, name: string) =>
    SECRET_NAME.test(name) ? `${sign}${name}=${MASK}` : whole,
  )

/**
 * What a client sends back as it was shown is what is stored. Headers go to nobody whom they were
 * not given for: with another host their masks stay, and are refused.
 */
export function restoreMasked(sent: unknown, current: StoredChannel | undefined): unknown {
  if (!current) return sent
  const restored = restore(sent, maskConfigs(current), current.configs)
  if (current.channel !== 'webhook' || originOf(restored) === originOf(current.configs)) return restored
  return sent
}

const originOf = (configs: unknown) =>
  isObject(configs) ? URL.parse(String(configs.url ?? configs.webhook_url))?.origin : undefined

function restore(sent: unknown, masked: unknown, stored: unknown): unknown {
  if (typeof sent === 'string') return sent === masked && holdsMask(sent) ? stored : sent
  if (!isObject(sent) || !isObject(masked) || !isObject(stored)) return sent
  return Object.fromEntries(
    Object.entries(sent).map(([key, value]) => [key, restore(value, masked[key], stored[key])]),
  )
}

/** Whether a mask is left in a value. */
export function holdsMask(value: unknown): boolean {
  if (typeof value === 'string') return value.includes(MASK)
  return isObject(value) && Object.values(value).some(holdsMask)
}
