/**
 * A server and its devices as real processes on one data folder, and nothing left of them afterwards. Each can be killed and
 * started again; scripts really run.
 */
import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  rmdirSync,
  writeFileSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { agentNodeFlags } from '../../packages/server/src/start/agent-process.ts'
import { compileCache } from '../compile-cache.ts'
import { openApi, type Api } from './api.ts'
import { textOf } from './beats.ts'
import { openProgram, until, untilStarted, type Program } from './program.ts'

const sources = join(import.meta.dirname, '../../packages')
const serverMain = join(sources, 'server/src/main.ts')
export const agentMain = join(sources, 'agent/src/main.ts')
const unlimited = 'read=-/-,cancel=-/-,respond=-/-,manage=-/-,liveResponse=-/-,package=-/-,library=-/-'

export interface Device {
  readonly dataFolder: string
  readonly program: Program
  readonly machineId: string
  /** Starts it, or starts it again, and waits until it has spoken with the server. */
  start(): Promise<void>
  /** Without waiting for the server, which may be away. */
  startAlone(): void
}

export interface World {
  /** For what scripts write. */
  readonly folder: string
  readonly dataFolder: string
  readonly server: Program
  readonly device: Device
  readonly api: Api
  /** Makes a token for the device, which has lost its identity, and starts it with that. */
  enrolAgain(): Promise<void>
  /** Starts the server again and waits until it answers. */
  startServer(): Promise<void>
  /** A folder of a script's own. */
  readonly scratch: (name: string) => string
  close(): Promise<void>
}

export interface Options {
  readonly serverFlags?: readonly string[]
  readonly agentFlags?: readonly string[]
  /** Its agent may be restricted: nothing else than a room of its own must be covered by that (`test/isolation/room.ts`). */
  readonly isRestrictable?: boolean
  /** What the agent is started by: a program that takes the rest of its arguments for a command. Asked at each start. */
  readonly around?: (folder: string) => readonly string[]
  readonly aroundServer?: (folder: string) => readonly string[]
  /** Where the server listens, and where this process reaches it. */
  readonly address?: { readonly listen: string; readonly url: string }
  /** The server starts the agent itself, as `npm start` does. */
  readonly embedded?: boolean
}

export async function withWorld(options: Options, run: (world: World) => Promise<void>): Promise<void> {
  const world = await openWorld(options)
  try {
    await run(world)
  } finally {
    await world.close()
  }
}

export async function openWorld(options: Options = {}): Promise<World> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-e2e-'))
  const dataFolder = join(folder, 'server')
  const own = `127.0.0.1:${await freePort()}`
  const { listen, url } = options.address ?? { listen: own, url: `http://${own}` }
  const said = { COUNTERMAND_LOG: 'warn', LEAK: 'of the agent' }
  const env = { PATH: process.env.PATH ?? '', HOME: '/root', ...said, ...compileCache() }
  const flags = ['--data', dataFolder, '--listen', listen, '--limits', unlimited, '--sessions', '-']
  const more = [...(options.serverFlags ?? []), ...(options.embedded ? [] : ['--no-agent'])]
  const around = options.aroundServer ?? (() => [])
  const server = openProgram(
    'server',
    () => [...around(folder), process.execPath, serverMain, ...flags, ...more],
    env,
  )
  let token = ''
  const device = openDevice(options, { folder, env, token: () => token })
  const startServer = async (): Promise<void> => {
    server.start()
    await untilStarted(server, 'the server to be ready', async () => {
      if (!existsSync(join(dataFolder, 'credentials.json'))) return false
      if (existsSync(join(dataFolder, 'ca.pem'))) trust(join(dataFolder, 'ca.pem'))
      return (await fetch(`${url}/readyz`)).ok
    })
  }
  const close = async (): Promise<void> => {
    await Promise.all([device.program.kill(), server.kill()])
    await endEverythingIn(folder)
    endScopes(device.dataFolder)
    rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
  }
  try {
    await startServer()
    const api = await openApi(dataFolder, options.address?.url)
    if (!options.embedded) {
      token = await api.enrolmentToken()
      await device.start()
    }
    const enrolAgain = async (): Promise<void> => {
      token = await api.enrolmentToken(device.machineId)
      await device.start()
    }
    const scratch = (name: string): string => {
      const made = join(folder, name)
      mkdirSync(made)
      return made
    }
    return { folder, dataFolder, server, device, api, enrolAgain, startServer, scratch, close }
  } catch (thrown) {
    await close()
    throw new Error(`${server.output()}\n${device.program.output()}`, { cause: thrown })
  }
}

/** Switched off, nobody works out ahead what all packages of this machine have installed. */
const restrictions = 'RestrictCodeExecution,UnrestrictCodeExecution'

function openDevice(
  options: Options,
  { folder, env, token }: { folder: string; env: Record<string, string>; token: () => string },
): Device {
  const dataFolder = join(folder, options.embedded ? 'server/agent' : 'agent')
  const around = options.around ?? (() => [])
  const flags = () => [
    '--data',
    dataFolder,
    '--enrol',
    token(),
    ...(options.agentFlags ?? []),
    ...(options.isRestrictable ? [] : ['--switch-off', restrictions]),
  ]
  const program = openProgram(
    'agent',
    () => [...around(folder), process.execPath, ...agentNodeFlags, agentMain, ...flags()],
    env,
  )
  return {
    dataFolder,
    program,
    get machineId() {
      return identityOf(dataFolder).machineId
    },
    start: async () => {
      const before = program.output().length
      program.start()
      await untilStarted(program, 'the agent to be connected', () =>
        /^connected/m.test(program.output().slice(before)),
      )
    },
    startAlone: () => program.start(),
  }
}

/** From now on this process takes certificates by this CA too. `file`: PEM. */
export function trust(file: string): void {
  setDefaultCACertificates([...getCACertificates('default'), readFileSync(file, 'utf8')])
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

export interface StoredIdentity {
  readonly machineId: string
  readonly key: { readonly kty: string; readonly crv: string; readonly x: string }
}

/** What the device keeps of itself, read from its folder. */
export function identityOf(dataFolder: string): StoredIdentity {
  const identity: StoredIdentity = JSON.parse(readFileSync(join(dataFolder, 'identity.json'), 'utf8'))
  return identity
}

/** Where this agent keeps the control groups of its actions; null where there is no cgroup v2. */
export function groupsOf(dataFolder: string): string | null {
  const mount = / \/\S* (\/\S*) .* - cgroup2 /.exec(textOf('/proc/self/mountinfo'))?.[1]
  const own = /^0::(\/.*)$/m.exec(textOf('/proc/self/cgroup'))?.[1]
  if (mount === undefined || own === undefined) return null
  const name = createHash('sha256').update(dataFolder).digest('hex').slice(0, 12)
  return join(mount, own, `countermand-${name}`)
}

/** An embedded agent leaves by itself; what a broken test has left running does not. All of them name the folder. */
async function endEverythingIn(folder: string): Promise<void> {
  await until('everything to have ended', () => {
    const left = processesWith(folder)
    for (const pid of left) kill(pid)
    return left.length === 0
  })
}

function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It went by itself.
  }
}

/** Removes the agent's groups, and ends what may be in them all the same. */
export function endScopes(dataFolder: string): void {
  const parent = groupsOf(dataFolder)
  if (parent === null || !existsSync(parent)) return
  for (const name of readdirSync(parent)) {
    if (!existsSync(join(parent, name, 'cgroup.kill'))) continue
    writeFileSync(join(parent, name, 'cgroup.kill'), '1')
    for (let tries = 0; tries < 200; tries += 1) {
      if (textOf(join(parent, name, 'cgroup.events')).includes('populated 0')) break
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 10)
    }
    rmdirSync(join(parent, name))
  }
  rmdirSync(parent)
}

/** Everything alive with this word in its command line. A zombie has none. */
export function processesWith(word: string): readonly number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name) && Number(name) !== process.pid)
  return pids.filter((pid) => textOf(`/proc/${pid}/cmdline`).includes(word)).map(Number)
}
