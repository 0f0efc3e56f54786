import { setTimeout as sleep } from 'node:timers/promises'
import type { Lock, Locker, RequestRelease } from '@tus/utils'
import { KuraError } from '../../../core/errors.ts'
import { randomText } from '../../../core/ids.ts'
import type { Scope } from '../../../core/scope.ts'
import { timestamp, toTimestamp } from '../../../core/time.ts'
import type { Db } from '../../../platform/db/db.ts'
import { uploadNotFound } from '../take.ts'

/** A lock that was not prolonged for this long belongs to a process that is gone. */
export const LOCK_MS = 10_000
const PROLONG_EVERY_MS = 3000
/** How often a holder looks whether somebody waits, and a waiting request whether the lock is free. */
const LOOK_EVERY_MS = 100
/** Longer than LOCK_MS, so that a client outlives the lock of a killed server. */
const WAIT_MAX_MS = 15_000

/**
 * One writer per upload, whichever process it asks: the lock is a lease in the row of the upload. Who
 * wants it tells the holder so, because after a broken connection the holder often waits for bytes
 * that will never come.
 */
export class UploadLocker implements Locker {
  readonly #db: Db
  readonly #scope: Scope

  constructor(db: Db, scope: Scope) {
    this.#db = db
    this.#scope = scope
  }

  newLock(upload_id: string): Lock {
    return new UploadLock(this.#db, this.#scope, upload_id)
  }
}

class UploadLock implements Lock {
  readonly #db: Db
  readonly #where: { namespace_id: string; upload_id: string }
  readonly #token = randomText(20)
  #watch: NodeJS.Timeout | undefined

  constructor(db: Db, { namespaceId }: Scope, upload_id: string) {
    this.#db = db
    this.#where = { namespace_id: namespaceId, upload_id }
  }

  /** Throws `upload_locked` when the holder does not let go in time, `upload_not_found`. */
  async lock(signal: AbortSignal, cancelReq: RequestRelease): Promise<void> {
    const deadline_ms = performance.now() + WAIT_MAX_MS
    for (;;) {
      if (await this.#take()) break
      await this.#ask()
      if (signal.aborted || performance.now() > deadline_ms) throw new KuraError('upload_locked')
      await sleep(LOOK_EVERY_MS)
    }
    this.#hold(cancelReq)
  }

  async unlock(): Promise<void> {
    clearInterval(this.#watch)
    await this.#update({ lock_token: null, lock_expires_at: null, lock_wanted: 0 })
  }

  /** Prolongs the lease and lets the request end when it is lost or wanted. */
  #hold(cancel: RequestRelease): void {
    let prolonged_ms = performance.now()
    let isLooking = false
    const look = async () => {
      const isDue = performance.now() - prolonged_ms >= PROLONG_EVERY_MS
      const row = await this.#row()
      let isHeld = row?.lock_token === this.#token
      if (isHeld && isDue) {
        isHeld = await this.#update({ lock_expires_at: toTimestamp(Date.now() + LOCK_MS) })
        prolonged_ms = performance.now()
      }
      if (!isHeld || row?.lock_wanted) await cancel()
    }
    this.#watch = setInterval(() => {
      if (isLooking) return
      isLooking = true
      look()
        // A database that does not answer is asked again; without an answer the lease ends by itself.
        .catch(() => (performance.now() - prolonged_ms > LOCK_MS ? cancel() : undefined))
        .finally(() => {
          isLooking = false
        })
    }, LOOK_EVERY_MS)
    this.#watch.unref()
  }

  async #take(): Promise<boolean> {
    const now = timestamp()
    const { numUpdatedRows } = await this.#db
      .updateTable('uploads')
      .set({ lock_token: this.#token, lock_expires_at: toTimestamp(Date.now() + LOCK_MS), lock_wanted: 0 })
      .where('namespace_id', '=', this.#where.namespace_id)
      .where('upload_id', '=', this.#where.upload_id)
      .where((eb) => eb.or([eb('lock_token', 'is', null), eb('lock_expires_at', '<=', now)]))
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }

  async #ask(): Promise<void> {
    const row = await this.#row()
    if (!row) throw uploadNotFound(this.#where.upload_id)
    if (row.lock_token === null || row.lock_wanted) return
    await this.#db
      .updateTable('uploads')
      .set({ lock_wanted: 1 })
      .where('namespace_id', '=', this.#where.namespace_id)
      .where('upload_id', '=', this.#where.upload_id)
      .execute()
  }

  #row() {
    return this.#db
      .selectFrom('uploads')
      .select(['lock_token', 'lock_wanted'])
      .where('namespace_id', '=', this.#where.namespace_id)
      .where('upload_id', '=', this.#where.upload_id)
      .executeTakeFirst()
  }

  async #update(change: {
    lock_token?: null
    lock_expires_at: string | null
    lock_wanted?: number
  }): Promise<boolean> {
    const { numUpdatedRows } = await this.#db
      .updateTable('uploads')
      .set(change)
      .where('namespace_id', '=', this.#where.namespace_id)
      .where('upload_id', '=', this.#where.upload_id)
      .where('lock_token', '=', this.#token)
      .executeTakeFirst()
    return numUpdatedRows === 1n
  }
}
