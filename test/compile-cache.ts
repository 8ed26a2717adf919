/** For a whole run: what the runtime has compiled is kept, so that a program that a test starts is up in two thirds of the time. */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export function setup(): () => Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-compiled-'))
  process.env.NODE_COMPILE_CACHE = folder
  // What is killed leaves nothing behind, as most programs of the tests are: so these do. Nobody waits for them.
  const warmed = ['server', 'agent'].map((name) => {
    const main = join(import.meta.dirname, '../packages', name, 'src/main.ts')
    const program = spawn(process.execPath, [main, '--help'], { stdio: 'ignore' })
    return new Promise((resolve) => program.once('close', resolve).once('error', resolve))
  })
  return async () => {
    await Promise.all(warmed)
    rmSync(folder, { recursive: true, force: true })
  }
}

/** For a program that does not inherit this environment. */
export const compileCache = (): Readonly<Record<string, string>> => {
  const { NODE_COMPILE_CACHE: folder } = process.env
  return folder === undefined ? {} : { NODE_COMPILE_CACHE: folder }
}
