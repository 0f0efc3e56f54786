import { readFile } from 'node:fs/promises'
import { ApiError, type Client } from './client.ts'
import { dim, line, table } from './output.ts'
import { canShowPictures, picture } from './pictures.ts'

export type SearchHit = {
  document_id: string
  score: number
  path?: string
  name?: string
  title?: string
  text?: string
  page_number?: number
  thumbnail_url?: string
}

export type SearchResult = { results: SearchHit[]; took_ms: number }

const SNIPPET_MAX = 160

/** Runs the retriever that `kura ingest` made: words find texts, an image finds look-alikes. */
export async function search(
  client: Client,
  {
    bucket,
    query,
    image,
    limit,
  }: { bucket: string; query?: string | undefined; image?: string | undefined; limit: number },
): Promise<SearchResult> {
  const start_ms = performance.now()
  const retriever = image ? `${bucket}-look-alikes` : bucket
  const inputs = image ? { image: { base64: (await readFile(image)).toString('base64') } } : { query }
  const { results } = await client
    .call<{ results: SearchHit[] }>(
      'POST',
      `/v1/retrievers/${encodeURIComponent(retriever)}/execute?return_presigned_urls=true`,
      { inputs, pagination: { method: 'offset', page_size: limit, page_number: 1 } },
    )
    .catch((error: unknown) => {
      if (!(error instanceof ApiError && error.status === 404)) throw error
      throw new ApiError(
        404,
        `Nothing to search in "${bucket}": fill it with "kura ingest <folder> --bucket ${bucket}".`,
        error.body,
      )
    })
  return { results, took_ms: performance.now() - start_ms }
}

/** A readable table, with the pictures themselves where the terminal can draw them. */
export async function printHits({ results, took_ms }: SearchResult): Promise<void> {
  if (results.length === 0) {
    line('Nothing found.')
    return
  }
  table(
    ['', 'score', 'file', 'excerpt'],
    results.map((hit, i) => [`${i + 1}`, hit.score.toFixed(3), where(hit), excerpt(hit.text)]),
  )
  if (canShowPictures()) {
    for (const hit of results) {
      if (!hit.thumbnail_url) continue
      line(`${where(hit)}`)
      line(await picture(hit.thumbnail_url))
    }
  }
  line(dim(`${results.length} results in ${Math.round(took_ms)} ms`))
}

function where({ path, name, title, document_id, page_number }: SearchHit): string {
  return `${path ?? name ?? title ?? document_id}${page_number ? `#${page_number}` : ''}`
}

function excerpt(text: string | undefined): string {
  const flat = (text ?? '').replace(/\s+/g, ' ').trim()
  return flat.length > SNIPPET_MAX ? `${flat.slice(0, SNIPPET_MAX - 1)}…` : flat
}
