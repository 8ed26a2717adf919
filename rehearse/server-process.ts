/** The server of a rehearsal: the real one, as a process of its own, with limits that suit the speed. */
import { spawn, type ChildProcess } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setTimeout as pause } from 'node:timers/promises'
import { limitClasses } from '../packages/contract/src/index.ts'
import type { Credentials } from '../packages/server/src/start/credentials.ts'
import type { Options } from './options.ts'

const main = fileURLToPath(new URL('../packages/server/src/main.ts', import.meta.url))
const readyWithinMs = 60_000

/** Seconds in the world; none shorter than `shortest`, or the rehearsal itself would be what is too slow. */
const runLimits = { LiveResponse: 600, CollectInvestigationPackage: 3600, GetFile: 1800, PutFile: 1800 }
const shortest = 10
/** How long a cancel waits for its device, in seconds of the rehearsal: an hour, and not three days. */
const cancelLimit = 3_600

export interface ServerProcess {
  readonly credentials: Credentials
  readonly pid: number
  /** Rejects when it ends before it was told to. */
  readonly died: Promise<never>
  stop(): Promise<void>
}

type Asked = Pick<Options, 'listen' | 'dataFolder' | 'speed' | 'load'> & {
  /** Under which address it is known, where another one stands before it; null for its own. */
  readonly publicUrl: string | null
}

/** Ready when this resolves. @throws Error with its last words where it does not come up. */
export async function startServer(options: Asked): Promise<ServerProcess> {
  const dataFolder = join(options.dataFolder, 'server')
  const { child, ended } = launch(options, dataFolder)
  const died = ended.then((words) => {
    throw new Error(`The server has ended:\n${words}`)
  })
  died.catch(() => undefined)
  const credentials = await Promise.race([untilReady(dataFolder, `http://${options.listen}`), died])
  return {
    credentials,
    pid: child.pid ?? 0,
    died,
    stop: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

function launch(
  { listen, speed, load, publicUrl }: Asked,
  dataFolder: string,
): { readonly child: ChildProcess; readonly ended: Promise<string> } {
  const scaled = Object.entries(runLimits).map(([type, seconds]) => `${type}=${atLeast(seconds / speed)}`)
  const own = ['createEnrolmentToken=-/-', 'streamEvents=-/-']
  const lifted = load === null ? own : [...own, ...limitClasses.map((name) => `${name}=-/-`)]
  const limits = [process.env.COUNTERMAND_LIMITS, ...lifted].filter(Boolean).join(',')
  const args = ['--no-agent', '--listen', listen, '--data', dataFolder, '--run-limits', scaled.join(',')]
  const more = ['--limits', limits, '--cancel-limit-seconds', String(atLeast(cancelLimit / speed))]
  const sessions = load === null ? [] : ['--sessions', '-']
  const known = publicUrl === null ? [] : ['--public-url', publicUrl]
  const child = spawn(process.execPath, [main, ...args, ...more, ...sessions, ...known], {
    stdio: ['ignore', 'pipe', 'pipe'],
    // Ctrl-C reaches us, and it is told in our order.
    detached: true,
    env: { ...process.env, COUNTERMAND_LIMITS: '' },
  })
  let words = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (words = (words + String(text)).slice(-4_000)))
  return { child, ended: new Promise((resolve) => child.once('close', () => resolve(words))) }
}

const atLeast = (seconds: number): number => Math.max(shortest, Math.round(seconds))

/** Ready means: `credentials.json` is there and `/readyz` answers 200. */
async function untilReady(dataFolder: string, url: string): Promise<Credentials> {
  const until = Date.now() + readyWithinMs
  for (;;) {
    try {
      const credentials: Credentials = JSON.parse(readFileSync(join(dataFolder, 'credentials.json'), 'utf8'))
      if ((await fetch(`${url}/readyz`)).ok) return credentials
    } catch {
      // Not there yet, or not listening.
    }
    if (Date.now() > until) throw new Error(`The server was not ready within ${readyWithinMs / 1_000} s.`)
    await pause(100)
  }
}
