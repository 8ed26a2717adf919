/** Fills a store with open actions by the server's own code, half of them offered: what a bad day looks like. */
import { generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto'
import { messageTypes, type RunScript, type Statement } from '@countermand/contract'
import { atOnce, type Order } from '../packages/server/src/core/action-shape.ts'
import { genesis } from '../packages/server/src/core/chain.ts'
import { startOrder } from '../packages/server/src/core/device.ts'
import { firstStances, type Surroundings } from '../packages/server/src/core/posture.ts'
import type { Moment, Rooms } from '../packages/server/src/app/rows.ts'
import { stepsOf } from '../packages/server/src/app/actions/request-action.ts'
import { takeStatement } from '../packages/server/src/app/sync-device.ts'
import { uuidv7 } from '../packages/server/src/ids/random.ts'
import { able, factsOf } from '../packages/server/src/testing/device.ts'
import { canonicalJson, sha256 } from '../packages/server/src/testing/history.ts'

const script: RunScript = {
  type: 'RunScript',
  scriptName: 'x.sh',
  sha256: 'a'.repeat(64),
  size: 1,
  args: [],
  asked: null,
  limitMs: 600_000,
}

export interface Part {
  readonly from: number
  readonly count: number
  /** Thumbprint of the server's order key, to which devices address themselves. */
  readonly server: string
}

interface Owner {
  readonly id: string
  readonly name: string
  readonly secret: KeyObject
  readonly thumbprint: string
}

/** `count` actions on devices of their own; the ids, in order of arrival. Every second one is fetched by its device. */
export async function fill(rooms: Rooms, { from, count, server }: Part, moment: Moment): Promise<string[]> {
  const ids: string[] = []
  for (let number = from; number < from + count; number += 1) {
    const owner = await enrolled(rooms, `device-${number}`, moment.at)
    const id = uuidv7(moment.at.getTime() + number, randomBytes(10))
    const order = orderOf(id, owner, moment.at)
    await rooms.actions.create(order, stepsOf(order.parameters))
    if (number % 2 === 1) await fetched(rooms, owner, server, moment)
    ids.push(id)
  }
  return ids
}

const nowhere: Surroundings = { allow: [], confirm: 'revert', server: [] }

async function enrolled({ devices, events }: Rooms, name: string, at: Date): Promise<Owner> {
  const { privateKey: secret, publicKey } = generateKeyPairSync('ed25519')
  const { crv, kty, x } = publicKey.export({ format: 'jwk' })
  const key = { crv, kty, x }
  const thumbprint = sha256(canonicalJson(key))
  const id = randomBytes(20).toString('hex')
  await devices.create({
    id,
    name,
    key,
    keyThumbprint: thumbprint,
    facts: factsOf(name),
    capabilities: able,
    firstSeen: at,
    lastSeen: null,
    lastAddress: null,
    tags: [],
    deviceValue: 'Normal',
    addresses: [],
    logons: [],
    order: startOrder(thumbprint),
    head: { sequence: 0, digest: genesis },
    reportedHead: null,
    progress: null,
    givenName: null,
    keyRevokedAt: null,
    retiredAt: null,
    offboardedAt: null,
    stances: firstStances,
  })
  const data = { key: thumbprint, publicKey: key, again: false }
  await events.append(id, { kind: 'device.enrolled', actor: null, alarm: false, data }, at)
  return { id, name, secret, thumbprint }
}

/** The device's first statement, signed: it is offered what waits. */
async function fetched(rooms: Rooms, owner: Owner, server: string, moment: Moment): Promise<void> {
  const { id: machineId, name, secret, thumbprint } = owner
  const statement: Statement = {
    protocol: 1,
    machineId,
    server,
    seq: 1,
    previous: thumbprint,
    nonce: randomBytes(16).toString('base64url'),
    epoch: moment.epoch,
    bootId: 'boot-1',
    news: [],
    newsHead: { sequence: 0, digest: thumbprint },
    held: [],
    serverHead: null,
    facts: factsOf(name),
    capabilities: able,
  }
  const header = { alg: 'EdDSA', typ: messageTypes.statement, kid: machineId }
  const text = [header, statement]
    .map((part) => Buffer.from(JSON.stringify(part)).toString('base64url'))
    .join('.')
  const jws = `${text}.${sign(null, Buffer.from(text), secret).toString('base64url')}`
  const cause = { digest: moment.digest(jws), seq: 1, jws }
  await takeStatement(
    rooms,
    { statement, cause, keyThumbprint: thumbprint, address: '127.0.0.1', around: nowhere },
    moment,
  )
}

const orderOf = (id: string, owner: Owner, createdAt: Date): Order => ({
  id,
  machineId: owner.id,
  createdAt,
  type: 'LiveResponse',
  computerDnsName: owner.name,
  requestor: 'bench',
  comment: null,
  externalId: null,
  scope: null,
  reversible: false,
  ...atOnce,
  runLimitMs: 600_000,
  parameters: { commands: [script] },
})
