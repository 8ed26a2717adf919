/** Where a scenario begins: an action of `run.sh` on a device of its own, brought to some place of its life. */
import type { ActionParameters, ActionType, MachineAction } from '@countermand/contract'
import { cancelLimitMs } from '../core/policies.ts'
import { enrol, type TestDevice } from './device.ts'
import { expectStatus, type TestServer } from './server.ts'

export interface Given {
  readonly id: string
  readonly device: TestDevice
}

type Start = (server: TestServer) => Promise<Given>

export const queued: Start = async (server) => {
  const device = await enrol(server)
  const { id } = await server.issue(device.machineId)
  return { id, device }
}

export const broughtTo =
  (place: Parameters<TestDevice['bring']>[1]): Start =>
  async (server) => {
    const given = await queued(server)
    await given.device.bring(given.id, place)
    return given
  }

export const endedAs =
  (how: 'failed' | 'timed_out'): Start =>
  async (server) => {
    const given = await broughtTo('running')(server)
    given.device.finish(given.id, how)
    await given.device.sync()
    return given
  }

/** Cancels as a client of this name does, and answers what it is answered. */
export async function cancel(
  server: TestServer,
  id: string,
  { by = 'ann', comment = 'wrong host' }: { by?: string; comment?: string } = {},
): Promise<MachineAction> {
  const token = await server.tokenAs(by, 'Machine.Isolate')
  const path = `/api/machineactions/${id}/cancel`
  const asked = { method: 'POST', path, token, body: { Comment: comment } } as const
  return expectStatus(200, await server.ask<MachineAction>(asked))
}

export const kindsOf = (server: TestServer, id: string): readonly string[] =>
  server.history.ofAction(id).map(({ kind }) => kind.replace('action.', ''))

/** A running action that is another kind of work than what tests issue: its row is changed before anybody looks. */
export const runningAs =
  (parameters: ActionParameters, type: ActionType = 'LiveResponse'): Start =>
  async (server) => {
    const { id, device } = await queued(server)
    const [row] = server.rows.all('select asked from actions where id = ?', id)
    const asked = JSON.stringify({ ...JSON.parse(String(row?.asked)), parameters })
    server.rows.all('update actions set asked = ?, type = ? where id = ?', asked, type, id)
    await device.bring(id, 'running')
    return { id, device }
  }

/** What a cancel asks for that asks for nothing of ours. */
export const plainCancel = {
  attest: null,
  expectedVersion: null,
  graceMs: 0,
  limitMs: cancelLimitMs,
  only: null,
  once: null,
} as const
