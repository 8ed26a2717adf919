/** What went wrong, in words for whoever has to put it right. */
import { codeOf } from './host/files.ts'

/** What a disk says when it cannot be written, by the system's name for it. Each may pass. */
const ofDisks: Readonly<Record<string, string>> = {
  ENOSPC: 'the disk is full',
  EDQUOT: 'the disk is full for this user',
  EROFS: 'the disk is read-only',
  EIO: 'the disk fails',
}

/** What is the matter with the disk; null where that is not it. */
export const diskTrouble = (thrown: unknown): string | null => ofDisks[codeOf(thrown) ?? ''] ?? null

/** A file of ours that is there and does not say what it said. No crash leaves one, since each appears whole: a disk did. */
export class Damaged extends Error {
  /** `remove`: what goes with it, so that nothing is concluded from the rest. */
  constructor(file: string, remove = file) {
    super(
      `${file} is damaged, and nothing is guessed from the rest. Keep a copy of ${remove}, remove it, and start once with --enrol TOKEN --again, TOKEN made for this machine: it keeps its id, and what was open there ends as unknown.`,
    )
  }
}

/** What is the matter with a server's certificate, by the name that TLS has for it. Whoever answers there is told nothing. */
const ofCertificates: Readonly<Record<string, string>> = {
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: 'is not by the CA that this device trusts',
  UNABLE_TO_GET_ISSUER_CERT: 'is not by the CA that this device trusts',
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: 'is not by the CA that this device trusts',
  SELF_SIGNED_CERT_IN_CHAIN: 'is not by the CA that this device trusts',
  DEPTH_ZERO_SELF_SIGNED_CERT: 'is not by the CA that this device trusts',
  CERT_SIGNATURE_FAILURE: 'is not by the CA that this device trusts',
  CERT_HAS_EXPIRED: 'has expired, or the clock of this host is wrong',
  CERT_NOT_YET_VALID: 'is not valid yet, or the clock of this host is wrong',
  ERR_TLS_CERT_ALTNAME_INVALID: 'is for another name',
}

/** Null where that is not it. */
export function certificateTrouble(thrown: unknown): string | null {
  const cause = thrown instanceof Error ? (thrown.cause ?? thrown) : thrown
  const what = ofCertificates[codeOf(cause) ?? '']
  return what === undefined ? null : `its certificate ${what}`
}

export function plainly(thrown: unknown): string {
  const text = thrown instanceof Error ? thrown.message : String(thrown)
  const cause = thrown instanceof Error && thrown.cause instanceof Error ? ` (${thrown.cause.message})` : ''
  const trouble = diskTrouble(thrown) ?? certificateTrouble(thrown)
  return trouble === null ? text + cause : `${trouble} (${text}${cause})`
}
