/** A real server and a real agent at two ends of a cable, where the agent can be made to die at a named moment. */
import { openWorld, type World } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import { openCable, together, type Cable, type End } from '../faults/network-namespace.ts'
import { descendantsOf } from './leftovers.ts'
import { openRoom, type Room } from './room.ts'
import type { Machine, MachineAction } from '@countermand/contract'

export type Tail = 'isolate' | 'unisolate' | 'restrictCodeExecution' | 'unrestrictCodeExecution'

export interface Stage {
  readonly world: World
  readonly cable: Cable
  /** Issues, and answers the id. @throws Error for any answer but 201 */
  issue(tail: Tail | 'offboard', more?: object): Promise<string>
  machine(): Promise<Machine>
  /** Starts the agent, which dies at this point, and waits until it has. */
  dieAt(point: string): Promise<void>
  /** What an end has in its environment when it is started next: NAME=VALUE. */
  environ(end: End, ...variables: readonly string[]): void
  /** Has it running, as it is by itself. */
  up(): Promise<void>
  /** Whether the kernel at the device's end has a table of ours. */
  isBarred(): boolean
  /** At the device's end. */
  nft(command: string): string
  /** Where the agent restricts; null where it does not. */
  readonly room: Room | null
  /** Of the agent itself, not of what stands before it; null while that has not started it yet. */
  agentPid(): number | null
  close(): Promise<void>
}

interface StageOptions {
  /** With a room in which the agent can be restricted. */
  readonly restricts?: boolean
  /** What else the agent is started by, at its end. */
  readonly inside?: readonly string[]
}

export async function openStage({ restricts = false, inside = [] }: StageOptions = {}): Promise<Stage> {
  const { keep, close } = together()
  let armed = ''
  const environments: Record<End, readonly string[]> = { server: [], device: [] }
  try {
    const cable = keep(await openCable())
    const room = restricts ? keep(await openRoom()) : null
    const world = keep(
      await openWorld({
        address: { listen: `0.0.0.0:${new URL(`http://${cable.listen}`).port}`, url: cable.url },
        isRestrictable: restricts,
        agentFlags: room?.agentFlags ?? [],
        around: () => [
          ...cable.at.device,
          ...(room?.inside ?? []),
          ...inside,
          'env',
          `COUNTERMAND_KILL_AT=${armed}`,
          ...environments.device,
        ],
        aroundServer: () => [...cable.at.server, 'env', ...environments.server],
        serverFlags: ['--settle-ms', '300', '--public-url', `http://${cable.listen}`],
      }),
    )
    return {
      world,
      cable,
      room,
      close,
      environ: (end, ...variables) => (environments[end] = variables),
      ...actsOf(world, cable, (point) => (armed = point)),
      agentPid: () => (room === null ? world.device.program.pid : childOf(world.device.program.pid)),
    }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

async function read<T>(answer: Response, status: number): Promise<T> {
  const text = await answer.text()
  if (answer.status !== status) throw new Error(`${answer.status} ${text}`)
  const value: T = JSON.parse(text)
  return value
}

function actsOf(
  world: World,
  cable: Cable,
  arm: (point: string) => void,
): Omit<Stage, 'world' | 'cable' | 'room' | 'environ' | 'agentPid' | 'close'> {
  const { api, device } = world
  const machinePath = (): string => `/api/machines/${device.machineId}`
  return {
    issue: async (tail, more = {}) => {
      const answer = await api.ask('POST', `${machinePath()}/${tail}`, { Comment: 'case 17', ...more })
      return (await read<MachineAction>(answer, 201)).id
    },
    machine: async () => read<Machine>(await api.ask('GET', machinePath()), 200),
    dieAt: async (point) => {
      await device.program.kill()
      arm(point)
      device.startAlone()
      arm('')
      await until(`the agent to die at ${point}`, async () => {
        await device.program.gone()
        return true
      })
    },
    up: async () => {
      if (!isUp(() => device.program.pid)) await device.start()
    },
    isBarred: () => cable.run('device', 'nft list tables').includes('inet countermand_'),
    nft: (command) => cable.run('device', `nft ${command}`),
  }
}

const childOf = (pid: number): number | null =>
  descendantsOf(pid).find(({ parent }) => parent === pid)?.pid ?? null

export function isUp(pid: () => number): boolean {
  try {
    return pid() > 0
  } catch {
    return false
  }
}
