/** What can stand on a host, as its posture needs it: one for each aspect. */
import type { Aspect, Posture as Document } from '@countermand/contract'
import type { Host } from '../host/host.ts'
import { openIsolation } from './isolation.ts'
import { openRestriction } from './restriction.ts'

export interface Control {
  readonly aspect: Aspect
  /** It could keep this device from its server: it stands once there was contact through it, and not before. */
  readonly needsContact: boolean
  /** Making it so may take minutes, for which no other order waits. */
  readonly isSlow: boolean

  /** The line that installs what is missing, or why else there is nothing that could be made or taken away; null where there is. */
  lack(): Promise<string | null>

  /** Makes the host stand so, and reads that back. Throws in plain words; what stood before stands then. */
  apply(document: Document): Promise<void>

  /** What of it is otherwise, in plain words; null where it stands as it should. */
  difference(document: Document): Promise<string | null>

  /** Calls whenever something of it may have changed. Ends with the returned function. */
  watch(changed: () => void): () => void

  /** What else has to know how the host is to stand; `latest`: of the latest reply. */
  arrange?(wanted: Document, latest: Document | null): void

  /** `isolated (Full)`, `not isolated`; and what more there is to say of it. */
  describe(document: Document): { readonly state: string; readonly details: readonly string[] }
}

/** Where the server is, for who cannot ask; `only` there while a barrier stands. */
export type Pin = (addresses: readonly string[], only: boolean) => void

/** In the order in which they are put back. `server`: base URL, null where that is not known. */
export const controlsOf = (
  { firewall, execution }: Pick<Host, 'firewall' | 'execution'>,
  server: string | null,
  pin?: Pin,
): readonly Control[] => [openIsolation(firewall, server, pin), openRestriction(execution)]
