import { type MessagePort, receiveMessageOnPort, type TransferListItem } from 'node:worker_threads'
import { packError } from '../../core/sent-error.ts'
import type { Call, Methods, Reply } from './thread-messages.ts'

export type Handlers<M extends Methods> = {
  [K in keyof M]: (args: M[K]['takes']) => Promise<M[K]['returns']>
}

/**
 * Answers the calls of a ThreadClient. Calls that wait together are started together, so that they
 * can share one look at the change log. Typed arrays that are members of a result are moved to the
 * caller, not copied: a handler MUST NOT keep them.
 */
export function serveThread<M extends Methods>(port: MessagePort, handlers: Handlers<M>): void {
  const answer = async ({ id, method, args }: Call) => {
    try {
      const value = await handlers[method]!(args)
      port.postMessage({ id, value } satisfies Reply, transferable(value))
    } catch (error) {
      port.postMessage({ id, error: packError(error) } satisfies Reply)
    }
  }
  port.on('message', (first: Call) => {
    void answer(first)
    for (;;) {
      const next = receiveMessageOnPort(port)
      if (!next) return
      void answer(next.message as Call)
    }
  })
}

export function sendLog(
  port: MessagePort,
  log: 'info' | 'warn',
  facts: Record<string, unknown>,
  message: string,
): void {
  port.postMessage({ log, facts, message } satisfies Reply)
}

function transferable(value: unknown): TransferListItem[] {
  if (typeof value !== 'object' || value === null) return []
  return Object.values(value).flatMap((member) =>
    ArrayBuffer.isView(member) && member.byteLength === member.buffer.byteLength && member.byteLength > 0
      ? [member.buffer as ArrayBuffer]
      : [],
  )
}
