import Type, { type Static, type TSchema } from 'typebox'

/** A member that may also be null. */
export function Nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()])
}

/** A member that may be absent or null. */
export function optional<T extends TSchema>(schema: T) {
  return Type.Optional(Nullable(schema))
}

/** Optional on the wire; the validator fills the default. */
export function Defaulted<T extends TSchema>(schema: T, value: Static<T>): T {
  return { ...schema, default: value } as T
}

/** An object whose members are data of the user. */
export const FreeObject = Type.Record(Type.String(), Type.Unknown())

/** An instant in the form of the contract. */
export const Timestamp = Type.String({ format: 'date-time' })

/** What the body of a list may ask for besides its page. */
export const ListMembers = {
  filters: optional(FreeObject),
  sort: optional(FreeObject),
  search: optional(Type.String()),
  case_sensitive: Defaulted(Type.Boolean(), false),
}

/** The answer to a delete that has nothing more to say. */
export const GenericDeleteResponse = Type.Object(
  { message: Type.String(), success: Type.Boolean() },
  { $id: 'GenericDeleteResponse' },
)
