import Type, { type Static } from 'typebox'
import { Pagination } from '../../core/pagination.ts'
import { Timestamp } from '../../core/schema.ts'

/** What became of a request with events; taking them in goes on in the background. */
export const ReceivedEvents = Type.Object(
  {
    accepted: Type.Integer(),
    /** Were here before. */
    duplicates: Type.Integer(),
    /** Tell of nothing that the adapter takes in. */
    ignored: Type.Integer(),
    event_keys: Type.Array(Type.String()),
  },
  { $id: 'ReceivedSourceEvents' },
)
export type ReceivedEvents = Static<typeof ReceivedEvents>

export const EventStatus = Type.Enum(['pending', 'processed', 'ignored', 'failed'])

export const SourceEvent = Type.Object(
  {
    event_key: Type.String(),
    event_id: Type.String(),
    action: Type.Enum(['put', 'remove']),
    source_key: Type.Optional(Type.String()),
    status: EventStatus,
    attempt_count: Type.Integer(),
    object_id: Type.Optional(Type.String()),
    error: Type.Optional(Type.String()),
    received_at: Timestamp,
    updated_at: Timestamp,
  },
  { $id: 'SourceEvent' },
)
export type SourceEvent = Static<typeof SourceEvent>

export const ListEventsQuery = Type.Object({ status: Type.Optional(EventStatus) })
export type ListEventsQuery = Static<typeof ListEventsQuery>

export const ListEventsResponse = Type.Object(
  { results: Type.Array(SourceEvent), pagination: Pagination },
  { $id: 'ListSourceEventsResponse' },
)
export type ListEventsResponse = Static<typeof ListEventsResponse>
