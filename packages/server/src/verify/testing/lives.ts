/** A server's whole day: every way in which an action ends, devices that enrol again, are copied, or say what nobody knows. */
import type { MachineAction, Reply } from '@countermand/contract'
import { renameDevice, retireDevice, revokeDeviceKey } from '../../app/administer-devices.ts'
import { announceDevice } from '../../app/enrol-device.ts'
import { expireActions } from '../../app/actions/expire-actions.ts'
import { able, enrol, enrolmentOf, post, signed, type TestDevice } from '../../testing/device.ts'
import { cancel } from '../../testing/given.ts'
import { day, expectStatus, type TestServer } from '../../testing/server.ts'

export interface Lives {
  /** Has seen everything; enrolled twice. `former` is what it was before. */
  readonly busy: TestDevice
  readonly former: TestDevice
  /** One action that ended well, then one that was stopped; nothing after it but idle syncs. */
  readonly calm: TestDevice
  readonly succeeded: string
  readonly stopped: string
  /** Has an action that runs and is being cancelled. */
  readonly open: TestDevice
  readonly running: string
  /** Has one that waits. */
  readonly idle: TestDevice
  readonly waiting: string
  readonly copied: TestDevice
  /** Named; its key revoked, and another one enrolled; retired while an action of it ran. */
  readonly retired: TestDevice
  readonly left: string
  /** Offboarded, although that was cancelled once it had passed the commit point. */
  readonly offboarded: TestDevice
  /** What the calm one was answered last. */
  readonly reply: Reply
}

export async function live(server: TestServer): Promise<Lives> {
  await server.upload('run.sh')
  await announceDevice(server.app, 'not-yet')
  const former = await enrol(server, { name: 'busy' })
  await allEnds(server, former)
  await oddities(server, former)
  const busy = await enrolAgain(server, former)
  await ended(server, busy)
  const copied = await beCopied(server)
  const calm = await enrol(server, { name: 'calm' })
  const succeeded = await ended(server, calm)
  const stopped = await taken(server, calm)
  await calm.sync()
  const reply = await calm.sync()
  const open = await enrol(server, { name: 'open' })
  const { id: running } = await server.issue(open.machineId)
  await open.bring(running, 'running')
  await cancel(server, running)
  await open.sync()
  const idle = await enrol(server, { name: 'idle' })
  const { id: waiting } = await server.issue(idle.machineId)
  const { retired, left } = await silenced(server)
  const offboarded = await leaves(server)
  return {
    busy,
    former,
    calm,
    succeeded,
    stopped,
    open,
    running,
    idle,
    waiting,
    copied,
    retired,
    left,
    offboarded,
    reply,
  }
}

async function silenced(server: TestServer): Promise<Pick<Lives, 'retired' | 'left'>> {
  const { app } = server
  const { machineId: id } = await enrol(server, { name: 'retired' })
  await renameDevice(app, { id, givenName: 'till-3', by: 'ann' })
  await server.issue(id)
  const why = { id, comment: 'stolen', by: 'ann' }
  await revokeDeviceKey(app, why)
  await server.issue(id)
  const token = await server.enrolmentToken(id)
  const retired = await enrol(server, { name: 'retired', token })
  await retired.sync()
  await retired.sync()
  const [{ id: left = '' } = {}] = server.rows.all(
    "select id from actions where machine_id = ? and phase = 'accepted'",
    id,
  )
  await retireDevice(app, why)
  return { retired, left: String(left) }
}

async function leaves(server: TestServer): Promise<TestDevice> {
  const device = await enrol(server, { name: 'gone', capabilities: { ...able, Offboard: { able: true } } })
  const path = `/api/machines/${device.machineId}/offboard`
  const asked = { method: 'POST', path, body: { Comment: 'sold' } } as const
  const token = await server.token('Machine.Offboard')
  const { id } = expectStatus(201, await server.ask<MachineAction>({ ...asked, token }))
  await device.bring(id, 'running')
  await cancel(server, id)
  await device.sync()
  device.tell({ kind: 'cannot_stop', action: id, detail: 'past the commit point' })
  device.finish(id)
  await device.sync()
  return device
}

async function ended(server: TestServer, device: TestDevice): Promise<string> {
  const { id } = await server.issue(device.machineId)
  await device.bring(id, 'running')
  device.finish(id)
  await device.sync()
  await device.sync()
  return id
}

/** Cancelled while it runs, and stopped. */
async function taken(server: TestServer, device: TestDevice): Promise<string> {
  const { id } = await server.issue(device.machineId)
  await device.bring(id, 'running')
  await cancel(server, id)
  await device.sync()
  device.tell({ kind: 'cancel_acknowledged', action: id })
  device.stop(id, 'stopped', ['process 17, a daemon'])
  await device.sync()
  await device.sync()
  return id
}

async function allEnds(server: TestServer, device: TestDevice): Promise<void> {
  await ended(server, device)
  await taken(server, device)
  const issued = async (place: Parameters<TestDevice['bring']>[1] | 'queued'): Promise<string> => {
    const { id } = await server.issue(device.machineId)
    if (place !== 'queued') await device.bring(id, place)
    return id
  }
  await cancel(server, await issued('queued'))
  const refused = await issued('accepted')
  await cancel(server, refused)
  await cancel(server, refused, { by: 'bob' })
  device.refuseStart(refused)
  await device.sync()
  await denied(server, refused)
  await cancel(server, await issued('offered'))
  await device.sync()
  const late = await issued('running')
  await cancel(server, late)
  device.finish(late, 'failed')
  await device.sync()
  await issued('running')
  for (const id of server.history.events().flatMap(({ actionId }) => actionId ?? [])) device.forget(id)
  await device.sync()
  await overdue(server, device, await issued('settling'))
}

async function denied(server: TestServer, id: string): Promise<void> {
  const token = await server.tokenAs('ann', 'Machine.Isolate')
  const body = { Comment: 'too late for that' }
  await server.ask({ method: 'POST', path: `/api/machineactions/${id}/cancel`, token, body })
}

/** Not heard of for so long that the server gave up; then it tells how it ended, twice. */
async function overdue(server: TestServer, device: TestDevice, id: string): Promise<void> {
  await cancel(server, id)
  server.clock.pass(5 * day)
  await expireActions(server.app)
  device.finish(id)
  await device.sync()
  device.finish(id)
  await device.sync()
}

async function oddities(server: TestServer, device: TestDevice): Promise<void> {
  const { id } = await server.issue(device.machineId)
  await device.bring(id, 'running')
  // Changes nothing and leaves no event; the statement is kept for its news.
  device.tell({ kind: 'cancel_acknowledged', action: id })
  await device.sync()
  device.tell({ kind: 'cancel_acknowledged', action: '01890000-0000-7000-8000-000000000017' })
  await device.sync()
  // The same statement twice, and one whose answer is lost.
  const said = await device.say()
  await device.exchange(said)
  await device.exchange(said)
  await device.syncInVain()
}

/** With a new key, while an action runs. */
async function enrolAgain(server: TestServer, before: TestDevice): Promise<TestDevice> {
  const { key } = await enrolmentOf(server)
  const about = { machineId: before.machineId, key: key.thumbprint }
  const former = await signed(before.key, about, { typ: 'countermand-former+jws', kid: before.machineId })
  return enrol(server, { name: 'busy', key, former })
}

async function beCopied(server: TestServer): Promise<TestDevice> {
  const device = await enrol(server, { name: 'copied' })
  await ended(server, device)
  const twin = device.copy()
  await device.sync()
  const { jws } = await twin.say()
  await post(server, '/device/sync', jws)
  return device
}
