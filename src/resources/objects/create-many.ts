import { KuraError, ValidationError, type Violation } from '../../core/errors.ts'
import { validator } from '../../core/validation.ts'
import { mapConcurrently } from '../../lib/concurrency.ts'
import type { BucketRecord } from '../buckets/index.ts'
import { type Policy, type PreparedObject, type PrepareOptions, prepareNew } from './prepare.ts'
import { presentWritten } from './present.ts'
import { readObject } from './request.ts'
import {
  type CreateObjectBody,
  CreateObjectBody as CreateObjectSchema,
  type CreateObjectsBatchResponse,
  type FailedObject,
  type ObjectResponse,
} from './schemas.ts'
import { stagedOf, type WriteResult } from './write.ts'

/** Objects of one request whose blobs are staged at the same time. */
const OBJECTS_AT_ONCE = 8

/** An object ready to be written, or why it was refused. */
export type Prepared = PreparedObject | { error: KuraError }

/** Prepares each object alone, in order. A fault of the server fails the request and leaves no bytes behind. */
export async function prepareMany(
  options: PrepareOptions,
  objects: readonly unknown[],
  policy: Policy | null,
): Promise<Prepared[]> {
  const prepared = await mapConcurrently(objects, OBJECTS_AT_ONCE, (object, i) =>
    prepareItem(options, object, ['body', 'objects', i], policy),
  )
  const fault = prepared.find((one) => 'error' in one && !isRefusal(one.error))
  if (!fault) return prepared as Prepared[]
  await options.files.discard(stagedOf(prepared.filter((one) => 'blobs' in one)))
  throw (fault as { error: unknown }).error
}

async function prepareItem(
  options: PrepareOptions,
  object: unknown,
  loc: (string | number)[],
  policy: Policy | null,
): Promise<PreparedObject | { error: unknown }> {
  try {
    const violations: Violation[] = []
    const body = validator(CreateObjectSchema)(object, loc, violations) as CreateObjectBody
    if (violations.length > 0) throw new ValidationError(violations)
    return await prepareNew(options, readObject(options.bucket.schema, body, loc), policy)
  } catch (error) {
    return { error }
  }
}

/** Whether an error is the fault of one object; the others then go on without it. */
const isRefusal = (error: unknown) => error instanceof KuraError && error.row.status < 500

/** The answer to a request for many objects, each outcome at the place of its object. */
export function summarize(
  bucket: BucketRecord,
  outcomes: readonly WriteResult[],
): CreateObjectsBatchResponse {
  const succeeded: ObjectResponse[] = []
  const failed: FailedObject[] = []
  for (const [object_index, outcome] of outcomes.entries()) {
    if ('object' in outcome) succeeded.push(presentWritten(bucket, outcome))
    else failed.push({ object_index, error: reasonOf(outcome.error), error_type: outcome.error.row.type })
  }
  return {
    succeeded,
    failed,
    total_requested: outcomes.length,
    succeeded_count: succeeded.length,
    failed_count: failed.length,
  }
}

/** The bare "Validation error" tells nothing where the list of violations is not sent along. */
function reasonOf(error: KuraError): string {
  if (!(error instanceof ValidationError) || error.code !== 'validation_error') return error.message
  return error.violations.map(({ loc, msg }) => `${loc.slice(3).join('.') || 'object'}: ${msg}`).join('; ')
}
