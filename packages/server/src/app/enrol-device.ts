import { Enrolment, Former, fits, messageTypes, protocolVersion, type Enrolled } from '@countermand/contract'
import { portrayed, startOrder, stateOf, whySilent, type Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import { endActions } from './actions/end-actions.ts'
import { firstStances } from '../core/posture.ts'
import { refuseUnspoken } from './sync-device.ts'
import type { App, VerifiedMessage } from './ports.ts'
import type { EnrolmentRow, Work } from './rows.ts'

/** A device that is known before it has enrolled, so that its id can be given out. */
export async function announceDevice(app: App, name: string): Promise<string> {
  const id = app.ids.device()
  await app.store.write('keepDevice', { id, name })
  return id
}

export const keepDevice: Work<{ id: string; name: string }, void> = ({ devices }, { id, name }, { at }) =>
  devices.create(blank(id, name, at))

const blank = (id: string, name: string, at: Date): Device => ({
  id,
  name,
  key: null,
  keyThumbprint: null,
  facts: null,
  capabilities: {},
  firstSeen: at,
  lastSeen: null,
  lastAddress: null,
  tags: [],
  deviceValue: 'Normal',
  addresses: [],
  logons: [],
  order: startOrder(''),
  head: { sequence: 0, digest: '' },
  reportedHead: null,
  progress: null,
  givenName: null,
  keyRevokedAt: null,
  retiredAt: null,
  offboardedAt: null,
  stances: firstStances,
})

/**
 * Enrols a device by its token. The same token with the same key again gets the same answer, so that a lost answer does
 * no harm; with another key it gets none. An existing id is kept only where the token names it or its former key signs.
 * @throws Refusal Unauthorized
 */
export async function enrolDevice(app: App, jws: string): Promise<string> {
  const message = await app.signer.verifyDevice(jws, messageTypes.enrolment, null)
  if (message === null || !fits(Enrolment, message.payload))
    throw refused('the request is not signed as it should be')
  const request = message.payload
  refuseUnspoken(request.protocol)
  if (request.server !== app.signer.orderThumbprint) throw refused('the token was made by another server')
  const former = await provenFormer(app, request.former, message.thumbprint)

  const asked = { message, request, former, newId: app.ids.device() }
  const machineId = await app.store.write('enrol', asked)
  const { epoch } = app.identity
  const answer: Enrolled = { protocol: protocolVersion, key: message.thumbprint, machineId, epoch }
  return app.signer.signOrder(answer, messageTypes.enrolled)
}

const refused = (why: string): Refusal => new Refusal('Unauthorized', `Enrolment refused: ${why}.`)

interface Request {
  readonly message: VerifiedMessage
  readonly request: Enrolment
  readonly former: Voucher
  /** For a device that gets a new one. */
  readonly newId: string
}

/** The id of the device that has been enrolled. */
export const enrol: Work<Request, string> = async (rooms, asked, { at, digest }) => {
  const { thumbprint } = asked.message
  const token = await rooms.enrolments.find(digest(asked.request.secret))
  if (token === null) throw refused('the token is not known here')
  if (token.usedByKey !== null) return sameAnswer(token, thumbprint)
  if (token.revokedAt !== null) throw refused('the token has been revoked')
  if (token.expiresAt <= at) throw refused('the token has expired; ask for a new one')

  const id = token.forDevice ?? vouchedFor(asked.former)
  const before = id === null ? null : await rooms.devices.find(id)
  // Statements begin anew with an enrolment: those recorded under a key that was used before would be taken again.
  if (await rooms.enrolments.hasUsed(thumbprint))
    throw refused('this key has been used; enrol with a new one')
  const device = before ?? blank(asked.newId, asked.request.facts.hostName, at)
  if (before === null) await rooms.devices.create(device)
  // What one that may not speak had is over already, but for what was asked since and never offered: that waits for it.
  else if (stateOf(before) === 'Enrolled') await endActions(rooms, before.id, 'device_reenrolled', at)

  const { facts, capabilities } = asked.request
  const key = { key: asked.message.key, keyThumbprint: thumbprint, order: startOrder(thumbprint) }
  const speaks = { keyRevokedAt: null, retiredAt: null, offboardedAt: null }
  const self = { ...portrayed(device, facts, at), capabilities }
  await rooms.devices.save({ ...device, ...key, ...speaks, ...self }, device)
  await rooms.enrolments.use(token.secretDigest, { key: thumbprint, machineId: device.id })
  // The key itself too: once the device has another one, what it signed by this one can still be checked.
  const data = { key: thumbprint, publicKey: asked.message.key, again: before?.key != null }
  await rooms.events.append(device.id, { kind: 'device.enrolled', actor: null, alarm: false, data }, at)
  return device.id
}

function sameAnswer(token: EnrolmentRow, thumbprint: string): string {
  if (token.usedByKey !== thumbprint || token.machineId === null) throw refused('the token has been used')
  return token.machineId
}

/** The device whose former key vouches for the new one (null where nobody does), or why that does not hold. */
type Voucher = { readonly id: string | null } | { readonly refused: string }

/** @throws Refusal Unauthorized where the former key does not vouch for the new one */
function vouchedFor(former: Voucher): string | null {
  if ('refused' in former) throw refused(former.refused)
  return former.id
}

/** Not thrown: after a lost answer the former key is no longer the device's, and the same answer is owed all the same. */
async function provenFormer(app: App, former: string | null, newKey: string): Promise<Voucher> {
  if (former === null) return { id: null }
  const find = (id: string) => app.store.read('device', id)
  const keyOf = async (id: string) => (await find(id))?.key ?? null
  const message = await app.signer.verifyDevice(former, messageTypes.former, keyOf)
  if (message === null || !fits(Former, message.payload) || message.payload.key !== newKey) {
    return { refused: 'the former key does not vouch for the new one' }
  }
  // The key was looked up by the header's device; the signed text must name the same one.
  const device = await find(message.payload.machineId)
  if (device?.keyThumbprint !== message.thumbprint) return { refused: 'the former key is not that device’s' }
  // A key that was revoked may be in other hands, and must not become the next one.
  const silent = whySilent(device)
  return silent === null ? { id: device.id } : { refused: silent.replace(/\.$/, '') }
}
