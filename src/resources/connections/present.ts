import { omitNulls } from '../../core/json.ts'
import type { TaskStatus } from '../../core/task-status.ts'
import type { StorageConnection } from './schemas.ts'
import type { ConnectionRow } from './store.ts'

/** A connection as clients see it: secrets are masked in what is stored already. */
export function presentConnection(row: ConnectionRow): StorageConnection {
  const { organization_id: _, taken_name: __, config, sealed_secrets: ___, metadata, status, ...rest } = row
  return omitNulls({
    ...rest,
    status: status as TaskStatus,
    is_active: status === 'ACTIVE',
    provider_config: JSON.parse(config) as Record<string, unknown>,
    metadata: JSON.parse(metadata) as Record<string, unknown>,
  })
}
