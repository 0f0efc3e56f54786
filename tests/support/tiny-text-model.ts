import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The words that the tiny model knows; the place of a word is its id. */
export const TINY_WORDS = ['[PAD]', '[UNK]', '[CLS]', '[SEP]', 'red', 'green', 'blue', '##s']
const DIMENSIONS = 4

/** What the tiny network gives for a token: the row of its id. */
export const tinyRow = (id: number) => [id + 1, id % 2, (id * id) % 7, 1 / (id + 1)]

type TinyOptions = { settings?: Record<string, unknown>; inputs?: string[]; int32?: boolean }

/**
 * Writes a model directory whose network only looks up a row for each token, so that a test can compute
 * what must come out. Returns the folder and the name of the model in it.
 */
export function writeTinyModel({ settings = {}, inputs = ['input_ids'], int32 = false }: TinyOptions = {}) {
  const models_path = mkdtempSync(join(tmpdir(), 'kura-models-'))
  const path = join(models_path, 'tiny')
  mkdirSync(path)
  const description = {
    task: 'text_embedding',
    dims: DIMENSIONS,
    pooling: 'mean',
    max_tokens: 8,
    ...settings,
  }
  writeFileSync(join(path, 'model.onnx'), network({ inputs, int32 }))
  writeFileSync(join(path, 'tokenizer.json'), JSON.stringify(TOKENIZER))
  writeFileSync(join(path, 'model.json'), JSON.stringify(description))
  return { models_path, name: 'tiny', path }
}

const special = (id: number) => ({
  id,
  special: true,
  content: TINY_WORDS[id],
  single_word: false,
  lstrip: false,
  rstrip: false,
  normalized: false,
})

const TOKENIZER = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: [0, 1, 2, 3].map(special),
  normalizer: { type: 'Lowercase' },
  pre_tokenizer: { type: 'WhitespaceSplit' },
  post_processor: {
    type: 'TemplateProcessing',
    single: [
      { SpecialToken: { id: '[CLS]', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '[SEP]', type_id: 0 } },
    ],
    pair: [],
    special_tokens: {
      '[CLS]': { id: '[CLS]', ids: [2], tokens: ['[CLS]'] },
      '[SEP]': { id: '[SEP]', ids: [3], tokens: ['[SEP]'] },
    },
  },
  decoder: { type: 'WordPiece', prefix: '##', cleanup: true },
  model: {
    type: 'WordPiece',
    unk_token: '[UNK]',
    continuing_subword_prefix: '##',
    max_input_chars_per_word: 100,
    vocab: Object.fromEntries(TINY_WORDS.map((word, id) => [word, id])),
  },
}

/** An ONNX file, written field by field: `last_hidden_state = table[input_ids]`. Numbers of fields as in onnx.proto. */
function network({ inputs, int32 }: { inputs: string[]; int32: boolean }): Buffer {
  const table = TINY_WORDS.flatMap((_, id) => tinyRow(id))
  const tensor = [
    ...[TINY_WORDS.length, DIMENSIONS].map((dim) => number(1, dim)),
    number(2, FLOAT),
    bytes(8, 'table'),
    bytes(9, Buffer.from(Float32Array.from(table).buffer)),
  ]
  const gather = [bytes(1, 'table'), bytes(1, 'input_ids'), bytes(2, 'last_hidden_state'), bytes(4, 'Gather')]
  const graph = [
    bytes(1, Buffer.concat(gather)),
    bytes(2, 'tiny'),
    bytes(5, Buffer.concat(tensor)),
    ...inputs.map((name) => bytes(11, value(name, int32 ? INT32 : INT64, ['batch', 'tokens']))),
    bytes(12, value('last_hidden_state', FLOAT, ['batch', 'tokens', DIMENSIONS])),
  ]
  const opset = Buffer.concat([bytes(1, ''), number(2, 17)])
  return Buffer.concat([number(1, 8), bytes(7, Buffer.concat(graph)), bytes(8, opset)])
}

const FLOAT = 1
const INT32 = 6
const INT64 = 7

function value(name: string, type: number, shape: (string | number)[]): Buffer {
  const dims = shape.map((dim) => bytes(1, typeof dim === 'number' ? number(1, dim) : bytes(2, dim)))
  const tensor = Buffer.concat([number(1, type), bytes(2, Buffer.concat(dims))])
  return Buffer.concat([bytes(1, name), bytes(2, bytes(1, tensor))])
}

const number = (field: number, n: number) => Buffer.concat([varint(field << 3), varint(n)])

function bytes(field: number, content: string | Buffer): Buffer {
  const body = Buffer.from(content as string)
  return Buffer.concat([varint((field << 3) | 2), varint(body.length), body])
}

function varint(n: number): Buffer {
  const parts: number[] = []
  for (let rest = n; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...parts, rest])
    parts.push((rest % 128) | 128)
  }
}
