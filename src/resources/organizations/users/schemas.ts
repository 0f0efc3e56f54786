import Type, { type Static } from 'typebox'
import { USER_ROLES } from '../../../core/permissions.ts'
import { Defaulted, FreeObject, optional, Timestamp } from '../../../core/schema.ts'

const Role = Type.Enum([...USER_ROLES], { $id: 'UserRole' })
const Status = Type.Enum(['active', 'suspended', 'pending'], { $id: 'UserStatus' })
const Name = Type.String({ minLength: 2, maxLength: 100 })
const Avatar = Type.String({ maxLength: 2083 })

export const UserModel = Type.Object(
  {
    user_id: Type.String(),
    email: Type.String(),
    user_name: Type.String(),
    avatar_url: optional(Type.String()),
    role: Role,
    status: Status,
    metadata: FreeObject,
    organization_id: Type.String(),
    created_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'UserModel' },
)
export type UserModel = Static<typeof UserModel>

export const CreateUserBody = Type.Object(
  {
    email: Type.String({ maxLength: 320 }),
    user_name: Name,
    avatar_url: optional(Avatar),
    role: Defaulted(Role, 'member'),
    metadata: optional(FreeObject),
  },
  { $id: 'UserCreateRequest' },
)
export type CreateUserBody = Static<typeof CreateUserBody>

export const UpdateUserBody = Type.Object(
  {
    user_name: optional(Name),
    avatar_url: optional(Avatar),
    role: optional(Role),
    status: optional(Status),
    metadata: optional(FreeObject),
  },
  { $id: 'UserUpdateRequest' },
)
export type UpdateUserBody = Static<typeof UpdateUserBody>

export const ListUsersQuery = Type.Object({ role: optional(Role), status: optional(Status) })
export type ListUsersQuery = Static<typeof ListUsersQuery>

export const ListUsersResponse = Type.Object({
  results: Type.Array(UserModel),
  total: Type.Integer(),
  skip: Type.Integer(),
  limit: Type.Integer(),
})
export type ListUsersResponse = Static<typeof ListUsersResponse>

export const SuccessResponse = Type.Object(
  { message: Type.String(), success: Type.Boolean() },
  { $id: 'GenericSuccessResponse' },
)
export type SuccessResponse = Static<typeof SuccessResponse>
