/** Who this device is, and whom it obeys: its key, its id, and the pinned order key. */
import { join } from 'node:path'
import {
  Enrolled,
  EnrolmentToken,
  devicePaths,
  enrolmentTokenPrefix,
  fits,
  messageTypes,
  protocolVersion,
  type Capabilities,
  type Facts,
} from '@countermand/contract'
import { CompactSign, calculateJwkThumbprint, exportJWK, generateKeyPair, importJWK, type JWK } from 'jose'
import { makeFolder, removeFolder, writeDurably } from './host/files.ts'
import { readJson } from './journal.ts'
import { plainly } from './trouble.ts'
import { digestOf } from './news.ts'
import { isTombstone, type Tombstone } from './offboard/tombstone.ts'
import { openOrder } from './verify.ts'

export interface Identity {
  readonly machineId: string
  /** Base URL of the server. */
  readonly server: string
  /** Thumbprint of the order key. */
  readonly orderKey: string
  /** The server's own CA, PEM; null where this host is to know whom to trust. */
  readonly ca: string | null
  readonly keyThumbprint: string
  /** The server's, as it enrolled this device; null where an earlier agent has not kept it. */
  readonly epoch: string | null
  /** Signs as this device. */
  sign(payload: object, type: string): Promise<string>
}

interface Stored {
  readonly machineId: string
  readonly server: string
  readonly orderKey: string
  /** As the token has it. */
  readonly ca?: string | undefined
  readonly key: JWK
  readonly epoch?: string
}

export class EnrolmentError extends Error {}

/** Nobody can help it but a person, with a token. */
export class NotEnrolled extends EnrolmentError {}

const fileOf = (dataFolder: string): string => join(dataFolder, 'identity.json')

/** The identity of an earlier enrolment; null where there was none, or it was given up. */
export async function readIdentity(dataFolder: string): Promise<Identity | null> {
  const stored = await readJson<Stored & Partial<Tombstone>>(fileOf(dataFolder))
  return stored === null || isTombstone(stored) ? null : toIdentity(stored)
}

/**
 * Enrols by a one-time token; a device that has an identity keeps its id, since its former key vouches for the new one. The key is on disk before it is shown, so that after a lost answer the same token asks again
 * with the same key. @throws EnrolmentError for a token that is none, or a server that is not the one it names.
 */
export async function enrol(
  dataFolder: string,
  token: string,
  self: { facts: Facts; capabilities: Capabilities },
): Promise<Identity> {
  const { server, orderKey, ca, secret } = readToken(token)
  const key = await ownKey(dataFolder, secret)
  const { sign, thumbprint, open } = await signerOf(key)
  const identity = await readIdentity(dataFolder)
  const former =
    identity && (await identity.sign({ machineId: identity.machineId, key: thumbprint }, messageTypes.former))
  const request = { protocol: protocolVersion, server: orderKey, secret, ...self, former }
  const jws = await sign(request, { typ: messageTypes.enrolment, jwk: open })
  const response = await fetch(server + devicePaths.enrol, {
    method: 'POST',
    body: jws,
    signal: AbortSignal.timeout(30_000),
  }).catch((thrown: unknown) => {
    throw new EnrolmentError(
      `The server that the token names, ${server}, was not reached: ${plainly(thrown)}. The token is still good; start again once it can be.`,
      { cause: thrown },
    )
  })
  const text = await response.text()
  if (!response.ok) throw new EnrolmentError(`The server answered ${response.status}: ${text}`)
  const answer = await openOrder(text, { type: messageTypes.enrolled, orderKey })
  if (!fits(Enrolled, answer) || answer.key !== thumbprint) {
    throw new EnrolmentError('The answer is not signed by the server that the token names.')
  }
  const { machineId, epoch } = answer
  const stored: Stored = { machineId, server, orderKey, ca, key, epoch }
  await writeDurably(fileOf(dataFolder), JSON.stringify(stored))
  await removeFolder(join(dataFolder, nextKey))
  return toIdentity(stored)
}

/** The CA that a token brings, PEM; null where it brings none. @throws EnrolmentError for a token that is none. */
export function caOf(token: string): string | null {
  const { ca } = readToken(token)
  return ca === undefined ? null : pemOf(ca)
}

/** Where a token says that the server is. @throws EnrolmentError for a token that is none. */
export const serverIn = (token: string): string => readToken(token).server

const pemOf = (der: string): string =>
  `-----BEGIN CERTIFICATE-----\n${der.replaceAll(/.{64}/g, '$&\n')}\n-----END CERTIFICATE-----\n`

function readToken(text: string): EnrolmentToken {
  try {
    if (!text.startsWith(enrolmentTokenPrefix)) throw new Error()
    const token: unknown = JSON.parse(
      Buffer.from(text.slice(enrolmentTokenPrefix.length), 'base64url').toString(),
    )
    if (fits(EnrolmentToken, token)) return token
  } catch {
    // Said below: there is one way to be wrong for whoever pasted it.
  }
  throw new EnrolmentError(`That is not an enrolment token: one begins with ${enrolmentTokenPrefix}`)
}

const nextKey = 'next-key.json'

/** The key that is being enrolled, one for each token: a lost answer is asked for again with the same. */
async function ownKey(dataFolder: string, secret: string): Promise<JWK> {
  const file = join(dataFolder, nextKey)
  const token = digestOf(secret)
  const kept = await readJson<{ token: string; key: JWK }>(file)
  if (kept?.token === token) return kept.key
  await makeFolder(dataFolder)
  const { privateKey } = await generateKeyPair('EdDSA', { extractable: true })
  const key = await exportJWK(privateKey)
  await writeDurably(file, JSON.stringify({ token, key }))
  return key
}

async function toIdentity({ machineId, server, orderKey, ca, key, epoch }: Stored): Promise<Identity> {
  const { sign, thumbprint } = await signerOf(key)
  return {
    machineId,
    server,
    orderKey,
    ca: ca === undefined ? null : pemOf(ca),
    keyThumbprint: thumbprint,
    epoch: epoch ?? null,
    sign: (payload, type) => sign(payload, { typ: type, kid: machineId }),
  }
}

async function signerOf(key: JWK): Promise<{
  sign: (payload: object, header: object) => Promise<string>
  thumbprint: string
  open: JWK
}> {
  const open: JWK = { kty: 'OKP', crv: 'Ed25519', x: key.x ?? '' }
  const secret = await importJWK(key, 'EdDSA')
  return {
    open,
    thumbprint: await calculateJwkThumbprint(open),
    sign: (payload, header) =>
      new CompactSign(Buffer.from(JSON.stringify(payload)))
        .setProtectedHeader({ alg: 'EdDSA', ...header })
        .sign(secret),
  }
}
