import Type, { type Static, type TSchema } from 'typebox'

/** A member that may also be null. */
export function Nullable<T extends TSchema>(schema: T) {
  return Type.Union([schema, Type.Null()])
}

/** Optional on the wire; the validator fills the default. */
export function Defaulted<T extends TSchema>(schema: T, value: Static<T>): T {
  return { ...schema, default: value } as T
}

/** An object whose members are data of the user. */
export const FreeObject = Type.Record(Type.String(), Type.Unknown())

/** An instant in the form of the contract. */
export const Timestamp = Type.String({ format: 'date-time' })

/** The answer to a delete that has nothing more to say. */
export const GenericDeleteResponse = Type.Object(
  { message: Type.String(), success: Type.Boolean() },
  { $id: 'GenericDeleteResponse' },
)
