import { isObject } from '../../core/json.ts'
import { type Message, type Outcome, renderText } from './channel-sender.ts'
import type { WebhookEvent } from './event.ts'
import type { EmailConfig } from './schemas.ts'

const TIMEOUT_MS = 20_000

/** Where e-mail goes out; the operator's own server, so no guard stands before it. */
export type Smtp = { url: string; from: string }

const SUBJECT = '[Kura] {{ event.event_type }} ({{ event.subject.id }})'

/** Sends a message by e-mail. The Message-ID is the delivery's, so that mailboxes know a repeated one. */
export async function sendEmail(
  smtp: Smtp,
  configs: EmailConfig,
  { delivery_id, event, signal }: Message,
): Promise<Outcome> {
  const { createTransport } = await import('nodemailer')
  const transport = createTransport(smtp.url, {
    connectionTimeout: TIMEOUT_MS,
    greetingTimeout: TIMEOUT_MS,
    socketTimeout: TIMEOUT_MS,
    // A body may name no files of this machine and no addresses inside its network.
    disableFileAccess: true,
    disableUrlAccess: true,
  } as object)
  const stop = () => transport.close()
  signal.addEventListener('abort', stop, { once: true })
  try {
    const { response } = await transport.sendMail({
      from: smtp.from,
      to: configs.to_addresses,
      cc: configs.cc_addresses,
      bcc: configs.bcc_addresses,
      subject: renderText(configs.subject_template ?? SUBJECT, event).slice(0, 1000),
      ...bodyOf(configs, event),
      messageId: `<${delivery_id}@kura>`,
      headers: { 'X-Mixpeek-Event': event.event_type, 'X-Mixpeek-Delivery': delivery_id },
    })
    return { is_success: true, response_excerpt: response.slice(0, 1024) }
  } finally {
    signal.removeEventListener('abort', stop)
    transport.close()
  }
}

function bodyOf({ content_type, body_template }: EmailConfig, event: WebhookEvent) {
  const json = JSON.stringify(event, null, 2)
  if (content_type !== 'html') return { text: body_template ? renderText(body_template, event) : json }
  // What users wrote into their objects must stay text in the mailbox of somebody else.
  return {
    html: body_template ? renderText(body_template, escaped(event)) : `<pre>${escapeHtml(json)}</pre>`,
  }
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}

const escapeHtml = (text: string) => text.replace(/[&<>"']/g, (character) => ENTITIES[character]!)

function escaped<T>(value: T): T {
  if (typeof value === 'string') return escapeHtml(value) as T
  if (Array.isArray(value)) return value.map(escaped) as T
  if (!isObject(value)) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, member]) => [escapeHtml(key), escaped(member)]),
  ) as T
}
