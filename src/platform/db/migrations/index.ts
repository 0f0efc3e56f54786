import type { Migration } from '../migrate.ts'
import { foundation } from './0001-foundation.ts'
import { organizations } from './0002-organizations.ts'
import { uploads } from './0003-uploads.ts'
import { connections } from './0004-connections.ts'
import { webhooks } from './0005-webhooks.ts'
import { processing } from './0006-processing.ts'
import { objects } from './0007-objects.ts'
import { storage } from './0008-storage.ts'
import { filterUses } from './0009-filter-uses.ts'
import { heldWork } from './0010-held-work.ts'

/** In order, listed by hand. A released migration never changes; what is wrong with it is mended by a later one. */
export const migrations: readonly Migration[] = [
  foundation,
  organizations,
  uploads,
  connections,
  webhooks,
  processing,
  objects,
  storage,
  filterUses,
  heldWork,
]
