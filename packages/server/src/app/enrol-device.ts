import {
  Enrolment,
  Former,
  enrolmentTokenPrefix,
  fits,
  messageTypes,
  protocolVersion,
  type Enrolled,
  type EnrolmentToken,
} from '@countermand/contract'
import { serverChain } from '../core/chain.ts'
import { startOrder, type Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import type { App, EnrolmentRow, Rooms, VerifiedMessage } from './ports.ts'

const tokenLifetimeMs = 24 * 60 * 60_000

export interface TokenRequest {
  /** Base URL that the device will use. */
  readonly server: string
  /** The device that is to keep its id; null for a new one. */
  readonly forDevice: string | null
  readonly by: string
}

/** A one-time token that names this server and its order key. Kept here as a digest only. */
export async function makeEnrolmentToken(
  app: App,
  request: TokenRequest,
): Promise<{ token: string; expiresAt: Date }> {
  const { server, forDevice, by } = request
  const secret = app.ids.secret()
  const now = app.now()
  const expiresAt = new Date(now.getTime() + tokenLifetimeMs)
  const row = { secretDigest: app.digest(secret), forDevice, expiresAt, usedByKey: null, machineId: null }
  await app.store.write(async ({ enrolments, events }) => {
    await enrolments.put(row)
    const note = {
      kind: 'enrolment.token_made',
      actor: by,
      alarm: false,
      data: { forDevice, expiresAt: expiresAt.getTime() },
    }
    await events.append(serverChain, note, now)
  })
  const token: EnrolmentToken = { server, orderKey: app.signer.orderThumbprint, secret }
  return { token: enrolmentTokenPrefix + Buffer.from(JSON.stringify(token)).toString('base64url'), expiresAt }
}

/** A device that is known before it has enrolled, so that its id can be given out. */
export async function announceDevice(app: App, name: string): Promise<string> {
  const device = blank(app, name)
  await app.store.write(async ({ devices }) => devices.create(device))
  return device.id
}

const blank = (app: App, name: string): Device => ({
  id: app.ids.device(),
  name,
  key: null,
  keyThumbprint: null,
  facts: null,
  capabilities: {},
  firstSeen: app.now(),
  lastSeen: null,
  lastAddress: null,
  tags: [],
  order: startOrder(''),
  head: { sequence: 0, digest: '' },
  reportedHead: null,
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
  if (request.server !== app.signer.orderThumbprint) throw refused('the token was made by another server')
  const formerId = await provenFormer(app, request.former, message.thumbprint)

  const machineId = await app.store.write((rooms) => enrol(app, rooms, { message, request, formerId }))
  const { epoch } = app.identity
  const answer: Enrolled = { protocol: protocolVersion, key: message.thumbprint, machineId, epoch }
  return app.signer.signOrder(answer, messageTypes.enrolled)
}

const refused = (why: string): Refusal => new Refusal('Unauthorized', `Enrolment refused: ${why}.`)

interface Request {
  readonly message: VerifiedMessage
  readonly request: Enrolment
  readonly formerId: string | null
}

async function enrol(app: App, rooms: Rooms, asked: Request): Promise<string> {
  const { thumbprint } = asked.message
  const token = await rooms.enrolments.find(app.digest(asked.request.secret))
  if (token === null) throw refused('the token is not known here')
  if (token.usedByKey !== null) return sameAnswer(token, thumbprint)
  if (token.expiresAt <= app.now()) throw refused('the token has expired; ask for a new one')

  const id = token.forDevice ?? asked.formerId
  const before = id === null ? null : await rooms.devices.find(id)
  const device = before ?? blank(app, asked.request.facts.hostName)
  if (before === null) await rooms.devices.create(device)
  else await retire(app, rooms, before)

  const { facts, capabilities } = asked.request
  const key = { key: asked.message.key, keyThumbprint: thumbprint, order: startOrder(thumbprint) }
  await rooms.devices.save({ ...device, ...key, name: facts.hostName, facts, capabilities })
  await rooms.enrolments.put({ ...token, usedByKey: thumbprint, machineId: device.id })
  const data = { key: thumbprint, again: before?.key != null }
  await rooms.events.append(
    device.id,
    { kind: 'device.enrolled', actor: null, alarm: false, data },
    app.now(),
  )
  return device.id
}

function sameAnswer(token: EnrolmentRow, thumbprint: string): string {
  if (token.usedByKey !== thumbprint || token.machineId === null) throw refused('the token has been used')
  return token.machineId
}

/** What the device held is gone with its former key (`core/action.ts`, device_gone). */
async function retire(app: App, { actions }: Rooms, device: Device): Promise<void> {
  if (device.key === null) return
  for (const action of await actions.liveOf(device.id)) {
    await actions.advance(action, { kind: 'device_gone', reason: 'device_reenrolled' }, app.now())
  }
}

/** The id of the device whose former key vouches for the new one; null where nobody does. */
async function provenFormer(app: App, former: string | null, newKey: string): Promise<string | null> {
  if (former === null) return null
  const find = (id: string) => app.store.read(({ devices }) => devices.find(id))
  const message = await app.signer.verifyDevice(
    former,
    messageTypes.former,
    async (id) => (await find(id))?.key ?? null,
  )
  if (message === null || !fits(Former, message.payload) || message.payload.key !== newKey) {
    throw refused('the former key does not vouch for the new one')
  }
  // The key was looked up by the header's device; the signed text must name the same one.
  const device = await find(message.payload.machineId)
  if (device === null || device.keyThumbprint !== message.thumbprint)
    throw refused('the former key is not that device’s')
  return device.id
}
