/**
 * The process that runs models for another: loads what it is asked for, answers every request by its
 * id, and ends with its parent. Queries that arrive while a batch runs share the next one.
 */

import assert from 'node:assert/strict'
import { packError } from '../../../core/sent-error.ts'
import { LocalModels } from '../local-models.ts'
import { damaged } from '../model-directory.ts'
import { bindSlots } from '../slots.ts'
import type { Reply, Request, Work } from './messages.ts'

let models: LocalModels | undefined
const running = new Map<number, AbortController>()

process.on('message', (request: Request) => {
  if (request.type === 'start') models = new LocalModels(bindSlots(request.options))
  else if (request.type === 'cancel') running.get(request.id)?.abort()
  else void answer(request.id, request.work)
})
process.on('disconnect', () => process.exit())
// Ctrl+C and a service manager's stop reach the parent as well, which finishes its requests before it ends this one.
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => undefined)

async function answer(id: number, work: Work): Promise<void> {
  const controller = new AbortController()
  running.set(id, controller)
  const reply = await perform(work, controller.signal).then(
    (vectors): Reply => ({ id, vectors }),
    (error): Reply => ({ id, error: packError(error) }),
  )
  running.delete(id)
  if (controller.signal.aborted) return // Nobody waits any more.
  process.send?.(reply)
}

async function perform(work: Work, signal: AbortSignal): Promise<Float32Array[]> {
  assert(models) // The first message a child gets is `start`.
  const model = await models.embedding(work.slot)
  if (model.description.fingerprint !== work.fingerprint)
    throw damaged(model.description.id, 'they changed while the server was running; restart it')
  if (work.type === 'load') return []
  return model.embed(work.inputs, { purpose: work.purpose, signal })
}
