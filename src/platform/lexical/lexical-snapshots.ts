import { mkdir, rm } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { Snapshots } from '../derived-index/kept-index.ts'
import { openSections, writeSections } from '../derived-index/section-file.ts'
import { LexicalIndex } from './lexical-index.ts'

/** Raise it when the meaning of the file changes: older ones are then not read. */
const FORMAT = 1

type Facts = { format: number; signature: string; applied_change: number; texts: number; terms: number }

/** Snapshots of the keyword index of one collection, in one file. */
export class LexicalSnapshots implements Snapshots<LexicalIndex> {
  readonly #path: string

  constructor(path: string) {
    this.#path = path
  }

  async save(index: LexicalIndex, applied_change: number, signature: string): Promise<void> {
    const { texts, terms, postings } = index.packed()
    await mkdir(dirname(this.#path), { recursive: true })
    const facts: Facts = {
      format: FORMAT,
      signature,
      applied_change,
      texts: texts.seqs.length,
      terms: terms.words.length,
    }
    await writeSections(this.#path, facts, {
      seqs: [texts.seqs],
      lengths: [texts.lengths],
      checksums: [texts.checksums],
      alive: [texts.alive],
      words: [Buffer.from(terms.words.join('\n'))],
      document_counts: [terms.document_counts],
      counts_max: [terms.counts_max],
      lengths_min: [terms.lengths_min],
      offsets: [postings.offsets],
      slots: [postings.slots],
      counts: [postings.counts],
    })
  }

  async load(signature: string): Promise<{ index: LexicalIndex; applied_change: number } | undefined> {
    const file = await openSections(this.#path)
    if (!file) return undefined
    try {
      const facts = file.facts as Facts
      if (facts.format !== FORMAT || facts.signature !== signature) return undefined
      const read = async <T extends ArrayBufferView>(name: string, array: T): Promise<T> => {
        await file.readInto(name, [array])
        return array
      }
      const words = (await read('words', Buffer.alloc(file.lengthOf('words')))).toString()
      const total = file.lengthOf('slots') / Uint32Array.BYTES_PER_ELEMENT
      const index = new LexicalIndex({
        texts: {
          seqs: await read('seqs', new Float64Array(facts.texts)),
          lengths: await read('lengths', new Uint32Array(facts.texts)),
          checksums: await read('checksums', new Uint32Array(facts.texts)),
          alive: await read('alive', new Uint8Array(facts.texts)),
        },
        terms: {
          words: facts.terms === 0 ? [] : words.split('\n'),
          document_counts: await read('document_counts', new Uint32Array(facts.terms)),
          counts_max: await read('counts_max', new Uint16Array(facts.terms)),
          lengths_min: await read('lengths_min', new Uint32Array(facts.terms)),
        },
        postings: {
          offsets: await read('offsets', new Float64Array(facts.terms + 1)),
          slots: await read('slots', new Uint32Array(total)),
          counts: await read('counts', new Uint16Array(total)),
        },
      })
      return { index, applied_change: facts.applied_change }
    } finally {
      await file.close()
    }
  }

  async remove(): Promise<void> {
    await rm(this.#path, { force: true })
  }
}
