/** What of the host's posture must outlive this process: one file for each aspect, replaced as a whole. */
import { join } from 'node:path'
import { canonical, type Aspect, type News, type Posture } from '@countermand/contract'
import { removeFolder, writeDurably } from '../host/files.ts'
import { readJson } from '../journal.ts'

/** A document that is to stand, and does not yet. */
export interface Candidate {
  readonly document: Posture
  /** By the device's clock; evidence. */
  readonly takenAt: string
  /** Since when the host is so, by the clock that counts suspend; null where it is not yet. */
  readonly appliedAt: { readonly bootId: string; readonly bootSeconds: number } | null
}

export interface PostureState {
  /** How the host stands, verified and confirmed. */
  readonly confirmed: Posture
  /** By the device's clock; for people. */
  readonly since: string | null
  readonly candidate: Candidate | null
  /** Written together with what caused it; told twice if a crash comes between, which does no harm. */
  readonly toTell: readonly News[]
  /** The nonce of the last release on the spot that was taken in: its file may be there once more, and means nothing then. */
  readonly releasedNonce: string | null
}

export interface PostureFile {
  /** Null where this device was never told how to stand. */
  read(): Promise<PostureState | null>
  write(state: PostureState): Promise<void>
  /** As if this device had never been told how to stand. */
  remove(): Promise<void>
}

export const postureFile = (dataFolder: string, aspect: Aspect): PostureFile => {
  const path = join(dataFolder, `posture-${aspect}.json`)
  return {
    read: () => readJson<PostureState>(path),
    write: (state) => writeDurably(path, JSON.stringify(state)),
    remove: () => removeFolder(path),
  }
}

/** Before anybody asked for anything. */
export const nothing: Posture = { generation: 0, action: null, type: 'None', withdrawn: [] }

export const begin: PostureState = {
  confirmed: nothing,
  since: null,
  candidate: null,
  toTell: [],
  releasedNonce: null,
}

/** What is to stand: confirmed, or on its way there. */
export const wantedOf = (state: PostureState | null): Posture =>
  state?.candidate?.document ?? state?.confirmed ?? nothing

export const isActive = ({ type }: Pick<Posture, 'type'>): boolean => type !== 'None'

/** A server that was restored may give a generation a second time: the content counts too. */
export const isSame = (one: Posture, other: Posture): boolean => contentOf(one) === contentOf(other)

const contentOf = ({ withdrawn: _withdrawn, ...content }: Posture): string => canonical(content)
