import { enrolmentTokenPrefix, type EnrolmentToken } from '@countermand/contract'
import { serverChain } from '../core/chain.ts'
import { Refusal } from '../core/errors.ts'
import type { App } from './ports.ts'
import type { EnrolmentRow, Work } from './rows.ts'

const tokenLifetimeMs = 24 * 60 * 60_000

export interface TokenRequest {
  /** Base URL that the device will use. */
  readonly server: string
  /** The device that is to keep its id; null for a new one. */
  readonly forDevice: string | null
  readonly by: string
}

export interface MadeToken {
  readonly id: string
  readonly token: string
  readonly expiresAt: Date
}

/** A one-time token that names this server, its order key and its CA. Kept here as a digest only. */
export async function makeEnrolmentToken(app: App, request: TokenRequest): Promise<MadeToken> {
  const { server, forDevice, by } = request
  const secret = app.ids.secret()
  const id = app.ids.guid()
  const now = app.now()
  const expiresAt = new Date(now.getTime() + tokenLifetimeMs)
  const made = { id, secretDigest: app.digest(secret), createdAt: now, createdBy: by, forDevice, expiresAt }
  const row: EnrolmentRow = { ...made, usedByKey: null, machineId: null, revokedAt: null }
  await app.store.write('keepEnrolmentToken', { row, by })
  const { signer, ca } = app
  const about = { server, orderKey: signer.orderThumbprint, secret }
  const token: EnrolmentToken = { ...about, ...(ca !== null && { ca }) }
  const text = enrolmentTokenPrefix + Buffer.from(JSON.stringify(token)).toString('base64url')
  return { id, token: text, expiresAt }
}

type Kept = { readonly row: EnrolmentRow; readonly by: string }

export const keepEnrolmentToken: Work<Kept, void> = async ({ enrolments, events }, { row, by }, { at }) => {
  await enrolments.create(row)
  const data = { id: row.id, forDevice: row.forDevice, expiresAt: row.expiresAt.getTime() }
  await events.append(serverChain, { kind: 'enrolment.token_made', actor: by, alarm: false, data }, at)
}

/** Newest first. */
export const listEnrolmentTokens = (app: App): Promise<readonly EnrolmentRow[]> =>
  app.store.read('enrolmentTokens', null)

/** @throws Refusal ResourceNotFound */
export async function findEnrolmentToken(app: App, id: string): Promise<EnrolmentRow> {
  const row = await app.store.read('enrolmentToken', id)
  if (row === null) throw unknown(id)
  return row
}

const unknown = (id: string): Refusal =>
  new Refusal('ResourceNotFound', `Enrolment token ${id} was not found`)

/** @throws Refusal BadRequest for one that a device has used */
export const revokeEnrolmentToken = (app: App, revoked: Revoked): Promise<void> =>
  app.store.write('dropEnrolmentToken', revoked)

interface Revoked {
  readonly id: string
  readonly by: string
}

export const dropEnrolmentToken: Work<Revoked, void> = async ({ enrolments, events }, { id, by }, { at }) => {
  const row = await enrolments.findById(id)
  if (row === null) throw unknown(id)
  if (row.usedByKey !== null) {
    const text = `Machine ${row.machineId ?? ''} has enrolled with this token. Revoke the key of the machine instead.`
    throw new Refusal('BadRequest', text)
  }
  if (row.revokedAt !== null) return
  await enrolments.revoke(row.id, at)
  const data = { id: row.id, forDevice: row.forDevice }
  await events.append(serverChain, { kind: 'enrolment.token_revoked', actor: by, alarm: false, data }, at)
}
