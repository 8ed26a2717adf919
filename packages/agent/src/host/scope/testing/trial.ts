// A place for tests of scopes: real processes in scopes of a random name, and nothing left of them afterwards.
import { spawnSync } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdtempSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openScopes, type ScopeOptions } from '../../scope.ts'
import type { Launch, Scopes } from '../../types.ts'

export type Mechanism = 'cgroup' | 'sweep'

export interface Trial {
  readonly scopes: Scopes
  /** What `openScopes` was given; again, it makes a second agent. */
  readonly options: ScopeOptions
  /** A folder that goes at the end. Scripts should stop by themselves when it is gone. */
  readonly folder: string
  /** Makes a scope that is gone at the end, come what may. */
  readonly make: () => Promise<Made>
}

export interface Made {
  readonly id: string
  readonly scope: string
  /** The launch folder. */
  readonly folder: string
  /** A shell script, its arguments, and its environment besides a plain PATH. */
  readonly launch: (script: string, args?: readonly string[], env?: Record<string, string>) => Launch
}

export const never = new AbortController().signal

/** Opens scopes, runs the test with them, and cleans up: not by what is being tested, which may be what fails. */
export async function withTrial(mechanism: Mechanism, run: (trial: Trial) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-trial-'))
  const forced = mechanism === 'sweep' ? { mechanism } : {}
  const name = `test-${randomUUID()}`
  const options = { name, folder: join(folder, 'scopes'), log: () => undefined, ...forced }
  const made: Made[] = []
  try {
    const scopes = await openScopes(options)
    if (scopes.proof !== (mechanism === 'sweep' ? 'swept' : 'stopped')) throw new Error(scopes.description)
    const make = async (): Promise<Made> => (made[made.length] = await makeIn(scopes, folder))
    await run({ scopes, options, folder, make })
  } finally {
    rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
    const isOurs = (text: string): boolean =>
      [folder, ...made.map(({ id }) => id)].some((id) => text.includes(id))
    const groups = made.map(({ scope }) => dirname(scope)).filter((group) => group.endsWith(name))
    await until('nothing to be left', () => {
      killWhatSays(isOurs)
      return groups.every(removeByForce)
    })
    rmSync(folder, { recursive: true, force: true, maxRetries: 20 })
  }
}

function killWhatSays(isOurs: (text: string) => boolean): void {
  for (const pid of readdirSync('/proc').filter(
    (name) => /^[0-9]+$/.test(name) && Number(name) !== process.pid,
  ))
    if (isOurs(textOf(`/proc/${pid}/cmdline`) + textOf(`/proc/${pid}/environ`)))
      spawnSync('kill', ['-KILL', pid])
}

function removeByForce(group: string): boolean {
  if (!existsSync(group)) return true
  writeFileSync(join(group, 'cgroup.kill'), '1')
  const within = readdirSync(group, { withFileTypes: true, recursive: true }).filter((entry) =>
    entry.isDirectory(),
  )
  const deepestFirst = within
    .map((entry) => join(entry.parentPath, entry.name))
    .toSorted((a, b) => b.length - a.length)
  const { status } = spawnSync('rmdir', [...deepestFirst, group])
  return status === 0
}

async function makeIn(scopes: Scopes, root: string): Promise<Made> {
  const id = randomUUID()
  const folder = join(root, id)
  mkdirSync(folder)
  const scope = await scopes.make(id)
  const launch = (text: string, args: readonly string[] = [], env: Record<string, string> = {}): Launch => {
    const script = join(folder, 'script')
    writeFileSync(script, text)
    return {
      command: ['/bin/sh', script, ...args],
      folder,
      cwd: root,
      env: { PATH: '/usr/bin:/bin', ...env },
    }
  }
  return { id, scope, folder, launch }
}

/** Waits until it is so; fails after 20 s with what was waited for. */
export async function until(what: string, ask: () => boolean | Promise<boolean>): Promise<void> {
  for (const end = performance.now() + 20_000; performance.now() < end; await sleep(5))
    if (await ask()) return
  throw new Error(`Waited in vain for: ${what}`)
}

/** A file's text, or nothing while it does not exist. */
export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}

/** Long enough for what still beats to be heard: a beater beats every 10 ms. Says whether anything was. */
export async function isBeating(beats: string): Promise<boolean> {
  const before = textOf(beats)
  await sleep(300)
  return textOf(beats) !== before
}

/** Runs a program in a Node of its own, where `scopes` is openScopes(…) of these options, and returns what it prints. */
export function inAnotherAgent(
  options: ScopeOptions,
  program: string,
  around: readonly string[] = [],
): string {
  const module = JSON.stringify(join(import.meta.dirname, '../../scope.ts'))
  const text = `import { openScopes } from ${module}
    const scopes = await openScopes({ ...${JSON.stringify(options)}, log: (line) => console.error(line) })
    ${program}`
  const node = [process.execPath, '--input-type=module', '-e', text]
  const [file = '', ...args] = [...around, ...node]
  const { stdout, stderr, signal, error } = spawnSync(file, args, {
    encoding: 'utf8',
    timeout: 25_000,
    killSignal: 'SIGKILL',
  })
  if (signal !== null && error) throw error
  return stdout + stderr
}

/**
 * A script whose descendants each do what keeps a killer away, and beat on: they append their names to \`beats\`. The
 * one that is stopped beats once, and leaves its pid in \`stopped\`.
 */
export const nastyScript = `
here=$1; beats=$here/beats
cat >"$here/beat" <<'END'
while [ -d "$2" ]; do echo "$1" >>"$2/beats"; sleep 0.01; done
END
cat >"$here/fork" <<'END'
[ -d "$1" ] || exit
echo forking >>"$1/beats"
sleep 0.01
/bin/sh "$1/fork" "$1" &
END
beat="/bin/sh $here/beat"
(trap '' TERM HUP INT; exec $beat deaf "$here") &
setsid $beat session "$here" &
(setsid /bin/sh -c "$beat twice '$here' &" &)
env -i $beat bare "$here" &
env -i setsid $beat alien "$here" &
(env -i $beat orphan "$here" &)
/bin/sh -c 'echo $$ >"$1/stopped"; echo stopped >>"$1/beats"; kill -STOP $$; exec '"$beat"' continued "$1"' sh "$here" &
/bin/sh "$here/fork" "$here" &
exec $beat script "$here"
`
export const nastyNames = [
  'deaf',
  'session',
  'twice',
  'bare',
  'alien',
  'orphan',
  'stopped',
  'forking',
  'script',
]
