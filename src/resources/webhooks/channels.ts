import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import { templateProblem } from '../../core/templates/template.ts'
import { validator } from '../../core/validation.ts'
import type { HttpClient } from '../../platform/net/http-client.ts'
import { holdsMask, restoreMasked } from './masking.ts'
import { EmailConfig, SlackConfig, type WebhookBody, WebhookConfig } from './schemas.ts'

/** A secret that still signs beside its successor. */
export type PreviousSecret = { secret: string; valid_until: string }

/** A channel as it is kept, sealed. */
export type StoredChannel =
  | { channel: 'webhook'; configs: WebhookConfig; previous_secrets?: PreviousSecret[] }
  | { channel: 'slack'; configs: SlackConfig }
  | { channel: 'email'; configs: EmailConfig }

export type ChannelRules = {
  http: Pick<HttpClient, 'checkAddress'>
  allows_http: boolean
  has_email: boolean
}

const SCHEMAS = { webhook: WebhookConfig, slack: SlackConfig, email: EmailConfig }

/**
 * Checks channels that a client sent and puts secrets that came back masked in again. Throws 422,
 * `email_not_configured`, `url_not_allowed`, `url_not_usable`.
 */
export async function readChannels(
  rules: ChannelRules,
  sent: WebhookBody['channels'],
  current: readonly StoredChannel[],
): Promise<StoredChannel[]> {
  const violations: Violation[] = []
  const channels = sent.map(({ channel, configs }, i) => {
    const loc = ['body', 'channels', i, 'configs']
    // Before the check: a mask is shorter than a secret may be.
    const restored = restoreMasked(configs, current[i])
    const stored = {
      channel,
      configs: validator(SCHEMAS[channel])(restored, loc, violations),
    } as StoredChannel
    checkChannel(stored, loc, violations)
    return keepPrevious(stored, current[i])
  })
  if (violations.length > 0) throw new ValidationError(violations)
  for (const channel of channels) await checkReachable(rules, channel)
  return channels
}

/** Old secrets of a rotation stay as long as the newest one does. */
function keepPrevious(channel: StoredChannel, current: StoredChannel | undefined): StoredChannel {
  if (channel.channel !== 'webhook' || current?.channel !== 'webhook') return channel
  const isKept = channel.configs.secret === current.configs.secret && current.previous_secrets
  return isKept ? { ...channel, previous_secrets: current.previous_secrets } : channel
}

function checkChannel(
  { channel, configs }: StoredChannel,
  loc: (string | number)[],
  violations: Violation[],
): void {
  if (!configs) return
  const refuse = (member: string, msg: string) =>
    void violations.push({ loc: [...loc, member], msg, type: 'value_error' })
  for (const [member, value] of Object.entries(configs)) {
    if (holdsMask(value)) refuse(member, 'The masked value stands for nothing that is known here')
    const problem = member.endsWith('_template') ? problemOf(value) : null
    if (problem !== null) refuse(member, `The template cannot be read: ${problem}`)
  }
  if (channel === 'webhook') {
    checkHeaders(configs.headers ?? {}, refuse)
    if (typeof configs.secret === 'string') checkSecret(configs.secret, refuse)
  }
  if (channel === 'slack' && !configs.webhook_url && !(configs.bot_token && configs.channel_id))
    refuse('webhook_url', 'Send webhook_url, or bot_token with channel_id')
  if (channel === 'email')
    for (const member of ['to_addresses', 'cc_addresses', 'bcc_addresses'] as const)
      for (const address of configs[member] ?? [])
        if (!EMAIL.test(String(address))) refuse(member, `"${address}" is not an e-mail address`)
}

const EMAIL = /^[^\s@<>",;:\\()[\]]{1,64}@[^\s@<>",;:\\()[\]]{1,255}$/

/** The first template inside a value that cannot be parsed, as text. */
function problemOf(value: unknown): string | null {
  if (typeof value === 'string') return templateProblem(value)
  if (typeof value !== 'object' || value === null) return null
  for (const member of Object.values(value)) {
    const problem = problemOf(member)
    if (problem !== null) return problem
  }
  return null
}

type Refuse = (member: string, msg: string) => void

const HEADERS_MAX = 50
const TOKEN = /^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/
/** Printable ASCII and tabs; what else is in a header is read differently by everybody. */
const FIELD_VALUE = /^[\t\x20-\x7e]*$/
/** They say how the message is framed, or are the proof that it comes from here. */
const OWN_HEADERS = new Set([
  ...['host', 'content-length', 'transfer-encoding', 'connection', 'keep-alive', 'upgrade', 'te', 'trailer'],
  ...['expect', 'content-type', 'accept-encoding'],
  ...['x-mixpeek-signature', 'x-mixpeek-event', 'x-mixpeek-delivery'],
  ...['webhook-id', 'webhook-timestamp', 'webhook-signature'],
])

function checkHeaders(headers: Record<string, string>, refuse: Refuse): void {
  if (Object.keys(headers).length > HEADERS_MAX) refuse('headers', `At most ${HEADERS_MAX} headers`)
  const names = new Set<string>()
  for (const [name, value] of Object.entries(headers)) {
    if (!TOKEN.test(name)) refuse('headers', `"${name}" is not a header name`)
    else if (OWN_HEADERS.has(name.toLowerCase())) refuse('headers', `The header ${name} is set by the server`)
    else if (names.has(name.toLowerCase())) refuse('headers', `The header ${name} is there twice`)
    if (!FIELD_VALUE.test(value))
      refuse('headers', `The header ${name} holds characters that are not allowed`)
    names.add(name.toLowerCase())
  }
}

const KEY_BYTES_MIN = 16

/** The reference libraries read a `whsec_` secret as base64, so it must be some. */
export function checkSecret(secret: string, refuse: Refuse): void {
  if (!secret.startsWith('whsec_')) return
  const key = secret.slice('whsec_'.length)
  const isBase64 = /^[A-Za-z0-9+/]+={0,2}$/.test(key) && key.length % 4 === 0
  if (!isBase64 || Buffer.from(key, 'base64').byteLength < KEY_BYTES_MIN)
    refuse('secret', `After whsec_ come at least ${KEY_BYTES_MIN} bytes in base64`)
}

async function checkReachable(rules: ChannelRules, { channel, configs }: StoredChannel): Promise<void> {
  if (channel === 'email') {
    if (!rules.has_email) throw new KuraError('email_not_configured')
    return
  }
  const url = channel === 'webhook' ? configs.url : configs.webhook_url
  if (url === undefined) return
  requireScheme(url, rules)
  await rules.http.checkAddress(url)
}

/** Asked again with every delivery: the operator may have changed the setting. */
export function requireScheme(url: string, { allows_http }: Pick<ChannelRules, 'allows_http'>): void {
  if (URL.parse(url)?.protocol === 'http:' && !allows_http)
    throw new KuraError('url_not_allowed', {
      reason: 'webhooks need https. The operator can allow http (webhook_allow_http).',
    })
}
