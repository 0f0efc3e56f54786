import type { Migration } from '../migrate.ts'
import { foundation } from './0001-foundation.ts'

/** In order, listed by hand. A released migration never changes; what is wrong with it is mended by a later one. */
export const migrations: readonly Migration[] = [foundation]
