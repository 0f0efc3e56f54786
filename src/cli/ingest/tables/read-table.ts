import { createReadStream } from 'node:fs'
import { extname } from 'node:path'
import { createInterface } from 'node:readline'

/** A row by its column names, or why it could not be read; `place` is where a person finds it in the file. */
export type TableRow =
  | { place: string; values: Readonly<Record<string, unknown>> }
  | { place: string; reason: string }

/** Rows of a Parquet file decoded at once: enough to be quick, little enough to stay light in memory. */
const PARQUET_ROWS = 1000
/** A longer line is no row but a damaged file. */
const LINE_BYTES_MAX = 16 * 1024 * 1024

const READERS: Record<string, (path: string) => AsyncIterable<TableRow>> = {
  '.csv': (path) => readSeparated(path, ','),
  '.tsv': (path) => readSeparated(path, '\t'),
  '.jsonl': readJsonLines,
  '.ndjson': readJsonLines,
  '.parquet': readParquet,
}

export const TABLE_EXTENSIONS = Object.keys(READERS)

/** Whether a file is one that `readTable` reads row by row. */
export const isTable = (path: string) => extname(path).toLowerCase() in READERS

/** The rows of a CSV, TSV, JSON Lines or Parquet file, one at a time. A damaged row fails alone. */
export function readTable(path: string): AsyncIterable<TableRow> {
  return READERS[extname(path).toLowerCase()]!(path)
}

async function* readSeparated(path: string, delimiter: string): AsyncIterable<TableRow> {
  const { parse } = await import('csv-parse')
  const damaged: TableRow[] = []
  const parser = parse({
    delimiter,
    columns: true,
    bom: true,
    skip_empty_lines: true,
    // A row with fewer cells has empty ones at its end; one with more cannot be told where they belong.
    relax_column_count_less: true,
    skip_records_with_error: true,
    on_skip: (error) => {
      damaged.push({ place: `line ${error?.lines}`, reason: error?.message ?? 'The row cannot be read.' })
      return undefined
    },
    max_record_size: LINE_BYTES_MAX,
    info: true,
  })
  const source = createReadStream(path)
  source.on('error', (error) => parser.destroy(error))
  source.pipe(parser)
  for await (const { record, info } of parser as AsyncIterable<CsvRecord>) {
    yield* damaged.splice(0)
    yield { place: `line ${info.lines}`, values: record }
  }
  yield* damaged
}

/** `lines` is the line that the record ends on. */
type CsvRecord = { record: Record<string, unknown>; info: { lines: number } }

async function* readJsonLines(path: string): AsyncIterable<TableRow> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })
  let number = 0
  for await (const line of lines) {
    number += 1
    if (line.trim() !== '') yield parseLine(line, `line ${number}`)
  }
}

function parseLine(line: string, place: string): TableRow {
  try {
    const value: unknown = JSON.parse(line)
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return { place, values: value as Record<string, unknown> }
    return { place, reason: 'The line holds no JSON object.' }
  } catch (error) {
    return { place, reason: (error as Error).message }
  }
}

async function* readParquet(path: string): AsyncIterable<TableRow> {
  const { asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects } = await import('hyparquet')
  const { compressors } = await import('hyparquet-compressors')
  const file = await asyncBufferFromFile(path)
  const metadata = await parquetMetadataAsync(file)
  const count = Number(metadata.num_rows)
  for (let start = 0; start < count; start += PARQUET_ROWS) {
    const rows = await parquetReadObjects({
      file,
      metadata,
      compressors,
      rowStart: start,
      rowEnd: Math.min(count, start + PARQUET_ROWS),
    })
    for (const [i, row] of rows.entries())
      yield { place: `row ${start + i + 1}`, values: plain(row) as Record<string, unknown> }
  }
}

/** Values of Parquet as JSON has them. Integers that JavaScript cannot hold stay exact, as text. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  if (value instanceof Date) return value.toISOString()
  if (value instanceof Uint8Array) return Buffer.from(value).toString('base64')
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([name, one]) => [name, plain(one)]))
  return value
}
