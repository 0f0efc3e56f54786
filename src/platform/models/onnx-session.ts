import { join } from 'node:path'
import type { InferenceSession, Tensor } from 'onnxruntime-node'
import { KuraError } from '../../core/errors.ts'
import { damaged, type ModelDirectory } from './model-directory.ts'

const INPUTS = ['input_ids', 'attention_mask', 'token_type_ids'] as const
type InputName = (typeof INPUTS)[number]
type TypedArray = BigInt64Array | Int32Array

/** The last hidden state, or with pooling `none` the vectors themselves: `width` rows a text. */
export type HiddenState = { data: Float32Array; width: number }

/**
 * A text network in ONNX Runtime. `run` computes on the calling thread: about 6 ms for 64 tokens of the
 * shipped model, between which the event loop turns once.
 */
export class OnnxSession {
  readonly #ort: typeof import('onnxruntime-node')
  readonly #session: InferenceSession
  readonly #directory: ModelDirectory
  readonly #output: string

  private constructor(
    ort: typeof import('onnxruntime-node'),
    session: InferenceSession,
    directory: ModelDirectory,
  ) {
    this.#ort = ort
    this.#session = session
    this.#directory = directory
    const unknown = session.inputNames.find((name) => !INPUTS.includes(name as InputName))
    if (unknown) throw damaged(directory.id, `model.onnx wants an input "${unknown}"`)
    const wanted = directory.settings.pooling === 'none' ? 'sentence_embedding' : 'last_hidden_state'
    this.#output = session.outputNames.includes(wanted) ? wanted : session.outputNames[0]!
  }

  /** Throws `model_damaged`. The shipped model takes 0.1 s and 55 MB. */
  static async load(directory: ModelDirectory, { threads }: { threads: number }): Promise<OnnxSession> {
    const { default: ort } = await import('onnxruntime-node')
    try {
      const session = await ort.InferenceSession.create(join(directory.path, 'model.onnx'), {
        intraOpNumThreads: threads,
        interOpNumThreads: 1,
        executionMode: 'sequential',
        graphOptimizationLevel: 'all',
        // Texts differ in length, so a memory plan made for one would be of no use to the next.
        enableMemPattern: false,
        logSeverityLevel: 3,
      })
      return new OnnxSession(ort, session, directory)
    } catch (cause) {
      if (cause instanceof KuraError) throw cause
      throw damaged(directory.id, cause instanceof Error ? cause.message : String(cause), cause)
    }
  }

  /** Runs texts of token ids, filled up to the longest with `padId`. */
  async run(texts: readonly (readonly number[])[], padId: number): Promise<HiddenState> {
    const width = Math.max(...texts.map((ids) => ids.length))
    const at = (fill: (ids: readonly number[], place: number) => number) =>
      texts.flatMap((ids) => Array.from({ length: width }, (_, place) => fill(ids, place)))
    const values: Record<InputName, () => number[]> = {
      input_ids: () => at((ids, place) => ids[place] ?? padId),
      attention_mask: () => at((ids, place) => (place < ids.length ? 1 : 0)),
      token_type_ids: () => at(() => 0),
    }
    const feeds: Record<string, Tensor> = {}
    for (const [i, name] of this.#session.inputNames.entries())
      feeds[name] = this.#tensor(values[name as InputName](), i, [texts.length, width])
    const outputs = await this.#session.run(feeds, [this.#output])
    const { data } = outputs[this.#output]!
    const rows = this.#directory.settings.pooling === 'none' ? 1 : width
    if (
      !(data instanceof Float32Array) ||
      data.length !== texts.length * rows * this.#directory.settings.dims
    )
      throw damaged(
        this.#directory.id,
        `its output "${this.#output}" does not have the shape that model.json says`,
      )
    return { data, width: rows }
  }

  close(): Promise<void> {
    return this.#session.release()
  }

  #tensor(values: number[], input: number, shape: number[]): Tensor {
    const metadata = this.#session.inputMetadata[input]!
    const small = metadata.isTensor && metadata.type === 'int32'
    const data: TypedArray = small ? Int32Array.from(values) : BigInt64Array.from(values, BigInt)
    return new this.#ort.Tensor(small ? 'int32' : 'int64', data, shape)
  }
}
