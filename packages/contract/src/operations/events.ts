import { Type, type Static } from 'typebox'
import { OrNull, Timestamp } from '../machine-action.ts'
import type { Operation } from '../operation.ts'
import { machineReaders } from '../permissions.ts'

/** What happened, as it is told to whoever listens: the `data` of an event whose `id` is its cursor and whose `event` is its kind. */
export const LiveEvent = Type.Object({
  kind: Type.String(),
  at: Timestamp,
  /** Null for what happened to no machine. */
  machineId: OrNull(Type.String()),
  actionId: OrNull(Type.String()),
  actor: OrNull(Type.String()),
  /** Somebody should look at this. */
  alarm: Type.Boolean(),
  /** In the chain of the machine, or of the server. */
  sequence: Type.Integer(),
  digest: Type.String(),
  data: Type.Record(Type.String(), Type.Unknown()),
})
export type LiveEvent = Static<typeof LiveEvent>

/** Ours: what happens anywhere, told as it is committed. */
export const events = {
  streamEvents: {
    summary:
      'Tells every event as it is committed (`text/event-stream`). `Last-Event-ID`, or `after`, goes on from there; `after=0` begins at the beginning. A stream lasts ten minutes at most.',
    method: 'GET',
    path: '/api/countermand/events',
    permission: machineReaders,
    limit: 'read',
    target: 'none',
    query: ['kind', 'machineId', 'actionId', 'alarm', 'after', 'follow'],
    status: 200,
    media: 'text/event-stream',
    reply: Type.String(),
  },
} as const satisfies Record<string, Operation>
