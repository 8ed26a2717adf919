/** Where a scenario begins: an action of `run.sh` on a device of its own, brought to some place of its life. */
import { enrol, type TestDevice } from './device.ts'
import type { TestServer } from './server.ts'

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
