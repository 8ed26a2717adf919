/**
 * A place for tests of execution control: mounts and processes of a test's own, where fapolicyd watches one scratch file system alone.
 * All of it is gone with this process, however it ends, and after a time in any case.
 */
import { spawn, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

export interface Question {
  readonly id: number
  readonly ask: 'obstacle' | 'apply' | 'difference' | 'prepare' | 'watch' | 'lockPackages' | 'startPackaged'
  readonly isRestricted: boolean
}

export type Answer =
  | { readonly log: string }
  | { readonly changed: true }
  | { readonly id: number; readonly result: unknown }
  | { readonly id: number; readonly trouble: string }

export interface Room {
  /** On the file system that is watched, and on which everything of dpkg and of the agents is. */
  readonly folder: string
  /** Runs a line of shell there; `as`: a user's number instead of root's. */
  run(line: string, as?: number): Ran
  /** What it has printed. @throws Error where it fails */
  must(line: string): string
  /** Another each time, on the same folder; by this program instead of the one that runs the test. */
  agent(program?: string): Agent
  /** The pid of the daemon as it is inside, 0 where there is none. */
  daemon(): number
  close(): Promise<void>
}

interface Ran {
  readonly isDone: boolean
  readonly text: string
}

export interface Agent {
  apply(isRestricted: boolean): Promise<void>
  difference(isRestricted: boolean): Promise<string | null>
  obstacle(): Promise<unknown>
  prepare(): Promise<void>
  watch(): Promise<void>
  /** Starts the packaged program of the room, and waits for it as a whole: nothing else of the agent goes on. */
  startPackaged(): Promise<unknown>
  /** As apt does from its first package to its last; until it is killed. */
  lockPackages(): Promise<void>
  /** How often its watch has called. */
  calls(): number
  readonly log: readonly string[]
  /** SIGKILL. */
  kill(): Promise<void>
}

/** Longer than any test may take. */
const longestSeconds = 110

const set = `set -e
mount -t ramfs ramfs /run
mount -t ramfs ramfs /usr/games
mount -t ramfs ramfs "$1"
cd "$1"
mkdir -p bin dpkg/info dpkg/updates dpkg/triggers hooks agent
touch dpkg/status dpkg/available dpkg/diversions
mount --bind dpkg /var/lib/dpkg
mount --bind hooks /etc/dpkg/dpkg.cfg.d
chmod 755 .
echo ready
exec timeout -s KILL ${longestSeconds} cat > /dev/null
`

export async function openRoom(): Promise<Room> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-room-'))
  const ways = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc']
  const holder = spawn('unshare', [...ways, 'sh', '-c', set, 'sh', folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = once(holder, 'close')
  const close = async (): Promise<void> => {
    holder.stdin.end()
    await gone
    rmSync(folder, { recursive: true })
  }
  await Promise.race([once(holder.stdout, 'data'), gone])
  const first = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim()
  if (first === '') throw new Error('The room could not be set up.')
  const inside = ['--target', first, '--mount', '--pid', '--wd=/']
  const run = (line: string, as = 0): Ran => {
    const user = as === 0 ? [] : ['setpriv', '--reuid', String(as), '--regid', String(as), '--clear-groups']
    const { status, stdout, stderr } = spawnSync('nsenter', [...inside, ...user, 'sh', '-c', line], {
      encoding: 'utf8',
      env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin', LC_ALL: 'C', R: folder },
    })
    return { isDone: status === 0, text: `${stdout}${stderr}` }
  }
  const must = (line: string): string => {
    const { isDone, text } = run(line)
    if (!isDone) throw new Error(`${line}: ${text}`)
    return text
  }
  return {
    folder,
    run,
    must,
    agent: (program = process.execPath) => openAgent([...inside, program], join(folder, 'agent')),
    daemon: () => Number(run('pgrep -x fapolicyd -r R,S,D,T').text),
    close,
  }
}

function openAgent(command: readonly string[], folder: string): Agent {
  const child = spawn('nsenter', [...command, join(import.meta.dirname, 'agent.ts'), folder, 'ramfs'], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = once(child, 'close')
  const log: string[] = []
  let calls = 0
  const ask = asker(child, (answer) => {
    if ('log' in answer) log.push(answer.log)
    if ('changed' in answer) calls += 1
  })
  return {
    apply: async (isRestricted) => void (await ask('apply', isRestricted)),
    difference: async (isRestricted) => {
      const answer = await ask('difference', isRestricted)
      return typeof answer === 'string' ? answer : null
    },
    obstacle: () => ask('obstacle'),
    prepare: async () => void (await ask('prepare')),
    watch: async () => void (await ask('watch')),
    startPackaged: () => ask('startPackaged'),
    lockPackages: async () => void (await ask('lockPackages')),
    calls: () => calls,
    log,
    kill: async () => {
      child.kill('SIGKILL')
      // nsenter stands before it.
      child.stdin.end()
      await gone
    },
  }
}

type Ask = (ask: Question['ask'], isRestricted?: boolean) => Promise<unknown>

function asker(child: ChildProcess, besides: (answer: Answer) => void): Ask {
  const open = new Map<number, PromiseWithResolvers<unknown>>()
  let last = 0
  const { stdin, stdout } = child
  if (stdin === null || stdout === null) throw new Error('An agent is spoken to through pipes.')
  createInterface({ input: stdout })
    .on('line', (line) => {
      const answer: Answer = JSON.parse(line)
      if (!('id' in answer)) return besides(answer)
      const asked = open.get(answer.id)
      if ('trouble' in answer) asked?.reject(new Error(answer.trouble))
      else asked?.resolve(answer.result)
    })
    .on('close', () => {
      for (const asked of open.values()) asked.reject(new Error('The agent has ended.'))
    })
  return (ask, isRestricted = false) => {
    const id = (last += 1)
    const asked = Promise.withResolvers<unknown>()
    open.set(id, asked)
    stdin.write(`${JSON.stringify({ id, ask, isRestricted } satisfies Question)}\n`)
    return asked.promise
  }
}
