/** One server and one agent that outlive many rounds; either can be told to die, dies, and is started again on its data. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { agentMain, endScopes, openWorld, type World } from '../end-to-end/fixture.ts'
import { openProgram, until, type Program } from '../end-to-end/program.ts'
import { openClient, type Client } from './client.ts'
import type { PointName, Side } from './points.ts'

export type State = 'runs' | 'died' | 'ended'

export interface Lane {
  readonly world: World
  readonly client: Client
  /** Kills it where it runs, and starts it again: told to die at a point, or told nothing. */
  start(side: Side, point: PointName | null, times?: number): Promise<void>
  /** Since its last start: died at its point, ended in any other way, or neither. */
  state(side: Side): State
  /** What both have printed, the newest at the end. */
  output(): string
  /** One more device, which enrols by this token; not started. */
  newcomer(name: string, token: string): Newcomer
  /** Ends everything, and nothing can be started any more. */
  close(): Promise<void>
}

export interface Newcomer {
  readonly program: Program
  readonly dataFolder: string
}

/** `cacheFolder`: where the runtime keeps what it has compiled; a start then takes half the time. */
export async function openLane(cacheFolder: string): Promise<Lane> {
  const told: Record<Side, string> = { server: '', agent: '' }
  const since: Record<Side, number> = { server: 0, agent: 0 }
  let isClosed = false
  const newcomers: Newcomer[] = []
  const before = (at: string): readonly string[] => {
    // A round that is given up in the middle must not start what has just been ended.
    if (isClosed) throw new Error('the lane is closed')
    return ['env', `NODE_COMPILE_CACHE=${cacheFolder}`, `COUNTERMAND_KILL_AT=${at}`]
  }
  const world = await openWorld({
    serverFlags: ['--settle-ms', '300'],
    around: () => before(told.agent),
    aroundServer: () => before(told.server),
  })
  const programs: Readonly<Record<Side, Program>> = { server: world.server, agent: world.device.program }
  const printed = (side: Side): string => programs[side].output().slice(since[side])
  const state = (side: Side): State => {
    if (!printed(side).includes(`[${side} ended: `)) return 'runs'
    return /^killed at /m.test(printed(side)) && printed(side).includes('ended: SIGKILL') ? 'died' : 'ended'
  }
  const { apiUrl }: { apiUrl: string } = JSON.parse(
    readFileSync(join(world.dataFolder, 'credentials.json'), 'utf8'),
  )
  const client = await openClient(world.dataFolder).catch(async (thrown: unknown) => {
    await world.close()
    throw thrown
  })
  return {
    world,
    client,
    state,
    start: async (side, point, times = 1) => {
      await programs[side].kill()
      told[side] = point === null ? '' : `${point}:${times}`
      since[side] = programs[side].output().length
      programs[side].start()
      // An agent may still be on its way when it is wanted; that is its ordinary life.
      if (side === 'agent') return
      await until(
        'the server to be ready',
        async () => state('server') !== 'runs' || (await fetch(`${apiUrl}/readyz`)).ok,
        { withinMs: 90_000, everyMs: 20 },
      )
    },
    close: async () => {
      isClosed = true
      await Promise.all(newcomers.map(({ program }) => program.kill()))
      for (const { dataFolder } of newcomers) endScopes(dataFolder)
      await world.close()
    },
    output: () => `${world.server.output().slice(-4_000)}\n${world.device.program.output().slice(-4_000)}`,
    newcomer: (name, token) => {
      const dataFolder = join(world.folder, name)
      const env = { PATH: process.env.PATH ?? '' }
      const command = [process.execPath, agentMain, '--data', dataFolder, '--enrol', token]
      const made = { dataFolder, program: openProgram(name, () => [...before(''), ...command], env) }
      newcomers.push(made)
      return made
    },
  }
}
