/** What a store holds, as the promises look at it. */
import type { ChainHead } from '@countermand/contract'
import type { EnrolmentRow, EventNote, LibraryEntry } from '../../packages/server/src/app/rows.ts'
import type { Action } from '../../packages/server/src/core/action-shape.ts'
import type { Link } from '../../packages/server/src/core/chain.ts'
import type { Device } from '../../packages/server/src/core/device.ts'

export type EventRow = Omit<Link, 'data'> & Pick<EventNote, 'data'> & { readonly digest: string }

/** All rows. Each map is replaced as a whole when a row changes, so that a state of before stays what it was. */
export interface Tables {
  readonly actions: ReadonlyMap<string, Action>
  readonly devices: ReadonlyMap<string, Device>
  readonly heads: ReadonlyMap<string, ChainHead>
  readonly events: readonly EventRow[]
  /** Texts by their digests. */
  readonly statements: ReadonlyMap<string, string>
  readonly library: ReadonlyMap<string, LibraryEntry>
  readonly enrolments: ReadonlyMap<string, EnrolmentRow>
}

export const noTables: Tables = {
  actions: new Map(),
  devices: new Map(),
  heads: new Map(),
  events: [],
  statements: new Map(),
  library: new Map(),
  enrolments: new Map(),
}
