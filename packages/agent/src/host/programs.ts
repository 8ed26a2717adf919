/** The programs that are asked, and how. */
import { spawn } from 'node:child_process'
import { accessSync, constants, existsSync } from 'node:fs'
import { open } from 'node:fs/promises'
import { delimiter, join } from 'node:path'

/** An agent's PATH often lacks the folders of those that only root uses. */
const besides = ['/usr/local/sbin', '/usr/sbin', '/sbin', '/usr/bin', '/bin']

/** Every statement asks for seven of them: at once 0.01 ms each, and 1 ms by way of Node's threads for files (measured). */
export function findProgram(name: string): string | null {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder.startsWith('/'))
  const places = [...folders, ...besides].map((folder) => join(folder, name))
  return places.find(isExecutable) ?? null
}

function isExecutable(path: string): boolean {
  if (!existsSync(path)) return false
  try {
    accessSync(path, constants.X_OK)
    return true
  } catch {
    return false
  }
}

export interface Ran {
  readonly isDone: boolean
  readonly output: string
  /** What it says of its failure, in one line. */
  readonly trouble: string
}

/** Messages are compared, so they are to be English. */
export const environment = { PATH: besides.join(delimiter), LC_ALL: 'C' }

/** None of them takes longer than moments. One that hangs must not keep the agent from its other orders. */
const longestRunMs = 20_000

/** `held`: an open file that the program has as its descriptor 3. */
export async function run(
  [file = '', ...args]: readonly string[],
  { fed = '', held }: { readonly fed?: string; readonly held?: number | undefined } = {},
): Promise<Ran> {
  const more = held === undefined ? [] : [held]
  const limit = { timeout: longestRunMs, killSignal: 'SIGKILL' } as const
  const child = spawn(file, args, { env: environment, stdio: ['pipe', 'pipe', 'pipe', ...more], ...limit })
  const said = { out: '', err: '' }
  child.stdout?.setEncoding('utf8').on('data', (text: string) => void (said.out += text))
  child.stderr?.setEncoding('utf8').on('data', (text: string) => void (said.err += text))
  // One that ends without reading says why by itself.
  child.stdin?.on('error', () => undefined).end(fed)
  return new Promise((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code, signal) => {
      const trouble = said.err.trim().split('\n')[0] || `${file} ended with ${String(signal ?? code)}`
      resolve({ isDone: code === 0, output: said.out, trouble: trouble.slice(0, 300) })
    })
  })
}

/** Less than a program may take. */
const longestWaitSeconds = 15

/**
 * One after the other, among all processes. The lock is on the open file, which whoever is started meanwhile has as well: a killed
 * agent's nft keeps the lock until it has ended, so no later one is overtaken by it. The kernel lets go of it by itself.
 */
export async function underLock<T>(
  { flock, path }: { readonly flock: string; readonly path: string },
  work: (held: number) => Promise<T>,
): Promise<T> {
  const file = await open(path, 'a', 0o600)
  try {
    const taken = await run([flock, '-x', '-w', String(longestWaitSeconds), '3'], { held: file.fd })
    if (!taken.isDone)
      throw new Error(`Another change of this host's rules has not ended within ${longestWaitSeconds} s.`)
    return await work(file.fd)
  } finally {
    await file.close()
  }
}
