import { KuraError } from '../../core/errors.ts'
import { omitNulls } from '../../core/json.ts'
import { type Message, type Outcome, renderText } from './channel-sender.ts'
import { requireScheme } from './channels.ts'
import type { SlackConfig } from './schemas.ts'
import { type HttpSender, post } from './send-http.ts'

const POST_MESSAGE_URL = 'https://slack.com/api/chat.postMessage'
const TIMEOUT_MS = 10_000

/** Posts a message to an incoming webhook of Slack, or to a channel as a bot. */
export async function sendSlack(
  sender: HttpSender,
  configs: SlackConfig,
  { event, signal }: Message,
): Promise<Outcome> {
  const { webhook_url, bot_token, channel_id, channel, username, icon_emoji, icon_url, blocks_template } =
    configs
  const message = omitNulls({
    text: `${event.event_type}: ${String(event.subject.type)} ${String(event.subject.id)}`,
    channel: webhook_url ? channel : channel_id,
    username,
    icon_emoji,
    icon_url,
    blocks: blocks_template ? blocksOf(blocks_template, event) : undefined,
  })
  const request = { body: JSON.stringify(message), timeout_ms: TIMEOUT_MS, signal }
  if (webhook_url) {
    requireScheme(webhook_url, sender)
    return post(sender, webhook_url, { ...request, headers: {} })
  }
  const headers = { authorization: `Bearer ${bot_token}` }
  return judgeAnswer(await post(sender, POST_MESSAGE_URL, { ...request, headers }))
}

/** The template is the text of a JSON list, or of an object with `blocks`. */
function blocksOf(template: string, event: Message['event']): unknown {
  const text = renderText(template, event)
  try {
    const parsed = JSON.parse(text) as unknown
    return Array.isArray(parsed) ? parsed : (parsed as { blocks?: unknown }).blocks
  } catch (cause) {
    throw new KuraError('template_error', { reason: 'blocks_template does not give JSON' }, { cause })
  }
}

/** The Web API says 200 also when it refuses: `{"ok":false,"error":"…"}`. */
function judgeAnswer(outcome: Outcome): Outcome {
  if (!outcome.is_success || /"ok"\s*:\s*true/.test(outcome.response_excerpt ?? '')) return outcome
  return { ...outcome, is_success: false, error: 'Slack refused the message.' }
}
