/** How events are chained: each carries the digest of the one before, so that none can be changed, left out or put in. */
import { canonical } from '@countermand/contract'

export interface Link {
  readonly chain: string
  readonly sequence: number
  readonly previous: string
  readonly kind: string
  readonly actionId: string | null
  readonly actor: string | null
  readonly alarm: boolean
  readonly at: number
  /** As `dataText` has it. */
  readonly data: string
  /** Digest of the device's statement that caused it. */
  readonly statement: string | null
}

/** Before the first event of a chain. */
export const genesis = 'A'.repeat(43)
/** The chain of what belongs to no device. */
export const serverChain = 'server'

/** What an event says, as it is kept and hashed. */
export const dataText = (data: unknown): string => canonical(data)

/** The text that is hashed (SHA-256, base64url) to the event's digest. */
export function linkText(link: Link): string {
  const { actionId, actor, alarm, at, chain, data, kind, previous, sequence, statement } = link
  const text = JSON.stringify
  // `canonical` of it all, without sorting anew what is in order here.
  return (
    `{"actionId":${text(actionId)},"actor":${text(actor)},"alarm":${text(alarm)},"at":${text(at)},` +
    `"chain":${text(chain)},"data":${data},"kind":${text(kind)},"previous":${text(previous)},` +
    `"sequence":${text(sequence)},"statement":${text(statement)}}`
  )
}
