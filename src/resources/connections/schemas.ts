import Type, { type Static } from 'typebox'
import { Pagination } from '../../core/pagination.ts'
import { Defaulted, FreeObject, ListMembers, optional, Timestamp } from '../../core/schema.ts'
import { TaskStatusEnum } from '../../core/task-status.ts'

/** All that the contract names, with our own extensions; which of them a server has is another question. */
export const PROVIDER_TYPES = [
  'google_drive',
  's3',
  'snowflake',
  'sharepoint',
  'tigris',
  'postgresql',
  'instagram',
  'tiktok',
  'rss',
  'local',
  'http',
  'webdav',
  'sftp',
] as const
const ProviderType = Type.Enum([...PROVIDER_TYPES])

const NAME = { minLength: 1, maxLength: 100 }

export const StorageConnection = Type.Object(
  {
    connection_id: Type.String(),
    internal_id: Type.String(),
    provider_type: Type.String(),
    provider_config: FreeObject,
    name: Type.String(NAME),
    description: optional(Type.String({ maxLength: 500 })),
    status: TaskStatusEnum,
    is_active: Type.Boolean(),
    last_used_at: optional(Timestamp),
    last_error: optional(Type.String({ maxLength: 1000 })),
    consecutive_failures: Type.Integer(),
    created_at: Timestamp,
    updated_at: Timestamp,
    created_by_user_id: Type.String(),
    metadata: FreeObject,
  },
  { $id: 'StorageConnectionModel' },
)
export type StorageConnection = Static<typeof StorageConnection>

export const CreateConnectionBody = Type.Object(
  {
    name: Type.String(NAME),
    provider_type: ProviderType,
    provider_config: FreeObject,
    description: optional(Type.String({ maxLength: 500 })),
    metadata: optional(FreeObject),
    test_before_save: Defaulted(Type.Boolean(), true),
  },
  { $id: 'StorageConnectionCreateRequest' },
)
export type CreateConnectionBody = Static<typeof CreateConnectionBody>

export const UpdateConnectionBody = Type.Object(
  {
    name: optional(Type.String(NAME)),
    description: optional(Type.String({ maxLength: 500 })),
    metadata: optional(FreeObject),
    status: optional(TaskStatusEnum),
    is_active: optional(Type.Boolean()),
    provider_config: optional(FreeObject),
  },
  { $id: 'StorageConnectionUpdateRequest' },
)
export type UpdateConnectionBody = Static<typeof UpdateConnectionBody>

export const ListConnectionsBody = Type.Object(
  {
    provider_type: optional(ProviderType),
    status: optional(TaskStatusEnum),
    is_active: optional(Type.Boolean()),
    ...ListMembers,
  },
  { $id: 'ListStorageConnectionsRequest' },
)
export type ListConnectionsBody = Static<typeof ListConnectionsBody>

export const ListConnectionsResponse = Type.Object(
  { results: Type.Array(StorageConnection), pagination: Pagination, total: Type.Integer() },
  { $id: 'StorageConnectionListResponse' },
)
export type ListConnectionsResponse = Static<typeof ListConnectionsResponse>

export const TestConnectionResponse = Type.Object(
  { success: Type.Boolean(), message: Type.String(), details: optional(FreeObject) },
  { $id: 'StorageConnectionTestResponse' },
)
export type TestConnectionResponse = Static<typeof TestConnectionResponse>

export const DeleteConnectionResponse = Type.Object({
  message: Type.String(),
  connection_id: Type.String(),
  status: Type.String(),
})

export const BrowseQuery = Type.Object({ path: Defaulted(Type.String({ maxLength: 4096 }), '/') })
export const BrowseFilesQuery = Type.Object({
  path: Defaulted(Type.String({ maxLength: 4096 }), '/'),
  max_results: Defaulted(Type.Integer({ minimum: 1, maximum: 100 }), 50),
})

const Folder = Type.Object(
  { id: Type.String(), name: Type.String(), path: Type.String(), mime_type: Type.String() },
  { $id: 'FolderItem' },
)
export const ListFoldersResponse = Type.Object(
  { results: Type.Array(Folder), parent_path: Type.String() },
  { $id: 'ListFoldersResponse' },
)

export const ListFilesResponse = Type.Object({
  results: Type.Array(
    Type.Object({
      id: Type.String(),
      name: Type.String(),
      path: Type.String(),
      mime_type: optional(Type.String()),
      size_bytes: optional(Type.Integer()),
      modified_at: optional(Timestamp),
    }),
  ),
  parent_path: Type.String(),
  total: Type.Integer(),
})
