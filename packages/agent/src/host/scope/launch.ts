// Starts a command inside a scope that exists, or not at all.
import { spawn, type ChildProcess } from 'node:child_process'
import { readFile, stat } from 'node:fs/promises'
import { basename, isAbsolute, join, resolve } from 'node:path'
import { codeOf } from '../files.ts'
import { ScopeGone, type Launch } from '../types.ts'
import { mark } from './processes.ts'
import { wrapperExit, wrapperName, wrapperText } from './wrapper-text.ts'

const longestEntryMs = 10_000

/** `Scopes.start` for one of the two mechanisms; the last part of the scope's path is the action's id. */
export async function launchInside(
  mechanism: 'cgroup' | 'sweep',
  scope: string,
  launch: Launch,
): Promise<void> {
  const [program, ...rest] = launch.command
  if (!program) throw new Error('There is no command to start.')
  if (!isAbsolute(launch.folder))
    throw new Error(`The launch folder ${launch.folder} is not an absolute path.`)
  const nameless = Object.keys(launch.env).find((name) => !/^[A-Za-z_][A-Za-z0-9_]*$/.test(name))
  if (nameless !== undefined) throw new Error(`A shell would drop the variable ${JSON.stringify(nameless)}.`)
  // Otherwise spawn would say that /bin/sh does not exist.
  if (!(await isFolder(launch.cwd))) throw new Error(`The folder to start in, ${launch.cwd}, does not exist.`)

  const text = wrapperText(mechanism, Object.keys(launch.env))
  const command = [resolve(launch.cwd, program), ...rest]
  const child = spawn('/bin/sh', ['-c', text, wrapperName, scope, launch.folder, ...command], {
    cwd: launch.cwd,
    env: { ...launch.env, [mark]: basename(scope) },
    detached: true,
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const end = await readiness(child)
  if (end === 'inside') return
  if (end === 'late')
    throw new Error(`The wrapper was not inside ${scope} within ${longestEntryMs / 1000} s.`)
  if (end === wrapperExit.cannotWrite) throw new Error(`Output cannot be written to ${launch.folder}.`)
  if (end === 'killed' || !(await isFolder(scope))) throw new ScopeGone(scope)
  throw new Error(`The wrapper could not enter ${scope} (exit status ${end}).`)
}

/** The exit status in a launch folder, or null if there is none. The file appears whole, so anything else is not ours. */
export async function exitStatus(folder: string): Promise<number | null> {
  const text = await readFile(join(folder, 'exit'), 'latin1').catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return ''
    throw error
  })
  return /^[0-9]{1,3}\n$/.test(text) ? Number(text) : null
}

/**
 * How the start went: inside; killed or left with a status before that; or still not inside when time was up, and killed
 * by us: it has run nothing yet, being our own text up to there.
 */
async function readiness(child: ChildProcess): Promise<'inside' | 'late' | 'killed' | number> {
  let timer: NodeJS.Timeout | undefined
  try {
    return await new Promise((decide, fail) => {
      timer = setTimeout(() => {
        child.kill('SIGKILL')
        decide('late')
      }, longestEntryMs)
      child.on('error', fail)
      child.stdout?.once('data', () => decide('inside'))
      // Not `exit`: that may come before the wrapper's word, when the command is short.
      child.once('close', (code) => decide(code ?? 'killed'))
    })
  } finally {
    clearTimeout(timer)
    child.stdout?.destroy()
    child.unref()
  }
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  )
}
