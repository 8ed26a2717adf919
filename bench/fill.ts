/** Fills a store with open actions by the server's own code, half of them offered: what a bad day looks like. */
import { randomBytes } from 'node:crypto'
import type { RunScript } from '@countermand/contract'
import { genesis } from '../packages/server/src/core/chain.ts'
import { startOrder } from '../packages/server/src/core/device.ts'
import type { Order } from '../packages/server/src/core/action-shape.ts'
import type { Moment, Rooms } from '../packages/server/src/app/ports.ts'
import { uuidv7 } from '../packages/server/src/ids/random.ts'

const script: RunScript = {
  type: 'RunScript',
  scriptName: 'x.sh',
  sha256: 'a'.repeat(64),
  size: 1,
  args: [],
  asked: null,
}

/** `count` actions on devices of their own; the ids, in order of arrival. */
export async function fill(
  rooms: Rooms,
  { from, count }: { from: number; count: number },
  { at }: Pick<Moment, 'at'>,
): Promise<string[]> {
  const ids: string[] = []
  for (let number = from; number < from + count; number += 1) {
    const machineId = randomBytes(20).toString('hex')
    await rooms.devices.create({
      id: machineId,
      name: `device-${number}`,
      key: null,
      keyThumbprint: null,
      facts: null,
      capabilities: {},
      firstSeen: at,
      lastSeen: null,
      lastAddress: null,
      tags: [],
      order: startOrder(''),
      head: { sequence: 0, digest: genesis },
      reportedHead: null,
    })
    const id = uuidv7(at.getTime() + number, randomBytes(10))
    const action = await rooms.actions.create(orderOf(id, machineId, at), [])
    if (number % 2 === 1) await rooms.actions.advance(action, { kind: 'offered' }, at)
    ids.push(id)
  }
  return ids
}

const orderOf = (id: string, machineId: string, createdAt: Date): Order => ({
  id,
  machineId,
  createdAt,
  type: 'LiveResponse',
  computerDnsName: 'device',
  requestor: 'bench',
  comment: null,
  externalId: null,
  scope: null,
  reversible: false,
  runLimitMs: 600_000,
  parameters: { commands: [script] },
})
