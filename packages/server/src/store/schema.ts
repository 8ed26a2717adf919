/** Rows as both databases hold them: times in milliseconds since 1970, structures as JSON text, yes and no as 1 and 0. */
import type { Phase } from '@countermand/contract'
import type { Generated } from 'kysely'
import type { Order } from '../core/action-shape.ts'

export interface Tables {
  settings: { name: string; value: string }
  actions: ActionRow
  devices: DeviceRow
  events: EventRow
  chains: ChainRow
  statements: StatementRow
  library_files: LibraryRow
  applications: ApplicationRow
  enrolments: EnrolmentTokenRow
  idempotency_keys: IdempotencyRow
}

/** Keyed by an integer in order of arrival, which is also the order of lists. */
export interface ActionRow {
  n: Generated<number>
  id: string
  machine_id: string
  type: Order['type']
  requestor: string
  created_at: number
  /** The rest of what was asked (`Order`), which never changes. */
  asked: string
  /** Everything else of the action, but what queries look at. */
  state: string
  phase: Phase
  version: number
  /** 0 only when neither open nor ended with an undelivered cancel; taken off by whoever comes by, not by the last step. */
  maybe_live: number
  /** Not later than its deadline, if it has one; moved back, or taken off, by the timer that comes by then. */
  look_at: number | null
  /** `n` of this action's latest event; from there its history is walked back, without an index. */
  last_event: number | null
  /** 0 only when it does not count as an open live response, now or ever again; taken off by whoever comes by. */
  maybe_session: number
}

export interface DeviceRow {
  n: Generated<number>
  id: string
  name: string
  /** In lower case, for finding. */
  name_key: string
  public_key: string | null
  key_thumbprint: string | null
  facts: string | null
  capabilities: string
  first_seen: number
  last_seen: number | null
  last_address: string | null
  tags: string
  /** How far its statements and news have been taken (`StatementOrder`). */
  statement_order: string
  /** Head of its chain of events as it last reported it. */
  reported_head: string | null
  /** How far its actions are, as its last statement had it (`Progress[]`). */
  progress: string | null
  device_value: string
  /** Which addresses it had (`AddressSeen[]`), and who was signed in (`Logon[]`). */
  addresses: string
  logons: string
  /** By people; while there is one it is also the `name`. */
  given_name: string | null
  key_revoked_at: number | null
  retired_at: number | null
  offboarded_at: number | null
  /** How it stands and is to stand (`Stances`), and beside it how that is shown. */
  posture: string | null
}

/** Head of each chain of events: a device's id, or `server`. Moved by compare-and-set, so that two cannot both append. */
export interface ChainRow {
  chain: string
  sequence: number
  digest: string
}

export interface EventRow {
  n: Generated<number>
  chain: string
  sequence: number
  previous: string
  digest: string
  kind: string
  action_id: string | null
  actor: string | null
  alarm: number
  at: number
  data: string
  /** Digest of the statement that caused it. */
  statement: string | null
  /** `n` of the action's event before this one. */
  before: number | null
}

export interface StatementRow {
  digest: string
  machine_id: string
  seq: number
  at: number
  jws: string
}

export interface LibraryRow {
  n: Generated<number>
  file_name: string
  sha256: string
  size: number
  description: string | null
  has_parameters: number
  parameters_description: string | null
  created_by: string
  created_at: number
  updated_at: number
}

export interface ApplicationRow {
  id: string
  object_id: string
  name: string
  enabled: number
  permissions: string
  /** `Secret[]`, times in milliseconds. */
  secrets: string
  created_at: number | null
}

export interface EnrolmentTokenRow {
  id: string
  secret_digest: string
  created_at: number | null
  created_by: string | null
  for_device: string | null
  expires_at: number
  used_by_key: string | null
  machine_id: string | null
  revoked_at: number | null
}

/** What a caller has asked under a key of its own. */
export interface IdempotencyRow {
  caller: string
  key: string
  request_digest: string
  action_id: string
  at: number
}
