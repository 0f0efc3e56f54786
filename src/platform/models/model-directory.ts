import { createHash, hash } from 'node:crypto'
import { closeSync, createReadStream, openSync, readdirSync, readFileSync, readSync, statSync } from 'node:fs'
import { basename, join } from 'node:path'
import Type, { type Static } from 'typebox'
import { KuraError, type Violation } from '../../core/errors.ts'
import { canonicalJson } from '../../core/json.ts'
import { Defaulted } from '../../core/schema.ts'
import { validator } from '../../core/validation.ts'

/** Raised when equal files would give other vectors because this code has changed. */
const PIPELINE_VERSION = 1

/** `model.json`: how the network beside it is used. */
const ModelFile = Type.Object({
  /** Name of what runs; `local/<directory>` when absent. */
  id: Type.Optional(Type.String({ minLength: 1 })),
  task: Type.Literal('text_embedding'),
  dims: Type.Integer({ minimum: 1, maximum: 16_384 }),
  pooling: Type.Enum(['mean', 'cls', 'last', 'none']),
  /** Vectors always have length 1. */
  normalize: Defaulted(Type.Literal(true), true),
  query_prefix: Defaulted(Type.String(), ''),
  passage_prefix: Defaulted(Type.String(), ''),
  max_tokens: Type.Integer({ minimum: 8, maximum: 131_072 }),
  /** Texts in one call. Set 1 where a text's vector would depend on the texts beside it. */
  batch_max: Defaulted(Type.Integer({ minimum: 1, maximum: 256 }), 32),
  /** Digests of the files by name. Absent: the files are read when the model is first described. */
  sha256: Type.Optional(Type.Record(Type.String(), Type.String())),
})
export type ModelSettings = Static<typeof ModelFile>

/** What decides about the vectors. Large networks keep their weights in files beside `model.onnx`. */
const MATTERS = /^(?:model\.onnx.*|tokenizer(?:_config)?\.json)$/
const NEEDED = ['model.onnx', 'tokenizer.json']
const READ_BYTES = 1024 * 1024

/**
 * A model on disk: `model.onnx`, `tokenizer.json` and `model.json`. Opening it reads `model.json`
 * alone; the digests of the other files are taken from there and proved when the model is loaded.
 */
export class ModelDirectory {
  readonly path: string
  readonly id: string
  readonly settings: ModelSettings
  #fingerprint: string | undefined

  private constructor(path: string, settings: ModelSettings) {
    this.path = path
    this.id = settings.id ?? `local/${basename(path)}`
    this.settings = settings
  }

  /** Throws `model_damaged` when `model.json` or a needed file is missing or wrong. */
  static open(path: string): ModelDirectory {
    const model = basename(path)
    const violations: Violation[] = []
    const settings = validator(ModelFile)(readModelFile(path), [], violations) as ModelSettings
    if (violations.length > 0)
      throw damaged(
        model,
        violations.map(({ loc, msg }) => `${loc.join('.')} in model.json: ${msg}`).join('; '),
      )
    for (const name of NEEDED)
      if (!statSync(join(path, name), { throwIfNoEntry: false })) throw damaged(model, `${name} is missing`)
    return new ModelDirectory(path, settings)
  }

  /** sha256 over the files and settings that decide about vectors. */
  get fingerprint(): string {
    this.#fingerprint ??= this.#computeFingerprint()
    return this.#fingerprint
  }

  /** Reads every file that has a digest and throws `model_damaged` if one differs. 30 to 50 ms for the shipped model. */
  async verify(): Promise<void> {
    const { sha256 } = this.settings
    if (!sha256) return
    for (const name of this.#files()) {
      const sum = createHash('sha256')
      for await (const piece of createReadStream(join(this.path, name), { highWaterMark: READ_BYTES }))
        sum.update(piece)
      const found = sum.digest('hex')
      if (found !== sha256[name]) throw damaged(this.id, `${name} differs from its digest in model.json`)
    }
  }

  #files(): string[] {
    return readdirSync(this.path)
      .filter((name) => MATTERS.test(name))
      .sort()
  }

  #computeFingerprint(): string {
    const { pooling, query_prefix, passage_prefix, max_tokens, sha256 } = this.settings
    const files = this.#files().map((name) => [
      name,
      sha256 ? (sha256[name] ?? '') : digest(join(this.path, name)),
    ])
    return hash(
      'sha256',
      canonicalJson({
        pipeline: PIPELINE_VERSION,
        files,
        settings: { pooling, query_prefix, passage_prefix, max_tokens },
      }),
    )
  }
}

function readModelFile(path: string): unknown {
  try {
    return JSON.parse(readFileSync(join(path, 'model.json'), 'utf8'))
  } catch (cause) {
    throw damaged(basename(path), 'model.json is missing or is no JSON', cause)
  }
}

export function damaged(model: string, reason: string, cause?: unknown): KuraError {
  return new KuraError('model_damaged', { model, reason }, { cause })
}

/** Synchronous, since describing a model is; in pieces, since weights can be larger than a buffer may be. */
function digest(path: string): string {
  const sum = createHash('sha256')
  const piece = Buffer.allocUnsafe(READ_BYTES)
  const file = openSync(path, 'r')
  try {
    for (let length = readSync(file, piece); length > 0; length = readSync(file, piece))
      sum.update(piece.subarray(0, length))
  } finally {
    closeSync(file)
  }
  return sum.digest('hex')
}
