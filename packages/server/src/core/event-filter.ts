/** Which events somebody wants to hear of. All that is said must fit; what is not said fits everything. */
export interface EventFilter {
  /** Kinds, or beginnings of kinds that end in `*`; any one of them. */
  readonly kinds: readonly string[]
  readonly machineId: string | null
  readonly actionId: string | null
  readonly alarmsOnly: boolean
}

interface Told {
  readonly kind: string
  readonly chain: string
  readonly actionId: string | null
  readonly alarm: boolean
}

export const isWanted = (filter: EventFilter, event: Told): boolean =>
  (filter.kinds.length === 0 || filter.kinds.some((kind) => isOfKind(event.kind, kind))) &&
  (filter.machineId === null || filter.machineId === event.chain) &&
  (filter.actionId === null || filter.actionId === event.actionId) &&
  (!filter.alarmsOnly || event.alarm)

const isOfKind = (kind: string, wanted: string): boolean =>
  wanted.endsWith('*') ? kind.startsWith(wanted.slice(0, -1)) : kind === wanted
