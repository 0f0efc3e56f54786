import type { Client } from '../client.ts'
import type { Progress } from '../progress.ts'
import { BATCH_OBJECTS_MAX, submit, waitFor } from './process.ts'

export type Failure = { path: string; reason: string }

/** Batches are submitted while later files still travel; both sides show their own bar. */
export class IngestWork {
  readonly #client: Client
  readonly #bucket: string
  readonly #processes: boolean
  readonly #uploadBar
  readonly #processBar
  readonly #running: Promise<void>[] = []
  readonly #progressOf = new Map<string, number>()
  readonly #paths = new Map<string, string>()
  #pending: string[] = []
  /** Files to send and objects to process, as far as is known. */
  #expected = { sent: 0, processed: 0 }
  #sent = 0
  #queued = 0
  uploadedCount = 0
  processedCount = 0
  readonly failed: Failure[] = []

  /** `processes`: whether any collection reads the bucket; without one nothing is submitted. */
  constructor(
    client: Client,
    bucket: string,
    progress: Progress,
    { processes = true }: { processes?: boolean } = {},
  ) {
    this.#client = client
    this.#bucket = bucket
    this.#processes = processes
    this.#uploadBar = progress.bar('upload')
    this.#processBar = progress.bar('process')
  }

  /** How much there is to do, where that is known before. */
  expect(sent: number, processed: number): void {
    this.#expected = { sent, processed }
    this.#showTotals()
  }

  /** An object that an earlier run has uploaded and nobody has processed. */
  async resume(object_id: string, path: string): Promise<void> {
    this.#paths.set(object_id, path)
    await this.#add([object_id])
  }

  fail(failures: readonly Failure[]): void {
    this.failed.push(...failures)
  }

  /** What became of a group: an object id for each item that did not fail, in order. */
  async uploaded(
    group: readonly { path: string }[],
    object_ids: readonly string[],
    failures: readonly Failure[],
  ): Promise<void> {
    const lost = new Set(failures.map(({ path }) => path))
    const sent = group.filter(({ path }) => !lost.has(path))
    object_ids.forEach((object_id, i) => {
      this.#paths.set(object_id, sent[i]?.path ?? object_id)
    })
    this.fail(failures)
    this.uploadedCount += object_ids.length
    this.#sent += group.length
    this.#showTotals()
    this.#uploadBar.done(this.#sent)
    await this.#add(object_ids)
  }

  async finish(): Promise<void> {
    this.#uploadBar.stop()
    if (this.#pending.length > 0) await this.#submit(this.#pending.splice(0))
    await Promise.all(this.#running)
    this.#processBar.stop()
  }

  #showTotals(): void {
    this.#uploadBar.total(Math.max(this.#expected.sent, this.#sent))
    this.#processBar.total(Math.max(this.#expected.processed - this.failed.length, this.#queued))
  }

  async #add(object_ids: readonly string[]): Promise<void> {
    if (!this.#processes) return
    // An object that is overwritten twice within one run is processed once.
    this.#pending.push(...object_ids.filter((object_id) => !this.#pending.includes(object_id)))
    while (this.#pending.length >= BATCH_OBJECTS_MAX)
      await this.#submit(this.#pending.splice(0, BATCH_OBJECTS_MAX))
  }

  async #submit(object_ids: string[]): Promise<void> {
    this.#queued += object_ids.length
    this.#showTotals()
    const batch = await submit(this.#client, this.#bucket, object_ids)
    const watch = async () => {
      const { failures } = await waitFor(this.#client, this.#bucket, batch, (done) => {
        this.#progressOf.set(batch.batch_id, done)
        this.#processBar.done([...this.#progressOf.values()].reduce((sum, one) => sum + one, 0))
      })
      const failedObjects = new Set(failures.map(({ object_id }) => object_id))
      this.processedCount += object_ids.length - failedObjects.size
      this.fail(
        failures.map(({ object_id, reason }) => ({ path: this.#paths.get(object_id) ?? object_id, reason })),
      )
    }
    const running = watch()
    // A failure is met in `finish`; until then it must not end the process as unhandled.
    running.catch(() => undefined)
    this.#running.push(running)
  }
}
