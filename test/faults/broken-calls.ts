/** Lets system calls of a running process fail, as a disk makes them fail, and puts them right again. */
import { spawn } from 'node:child_process'
import { once } from 'node:events'

/**
 * From when this resolves until `mend`, `call` on the file `path` fails with `error` in all threads of the process; whatever else it
 * does goes on. `path` is the file's real one.
 */
export async function breakCalls(
  pid: number,
  { call, path, error }: { readonly call: string; readonly path: string; readonly error: string },
): Promise<{ mend(): Promise<void> }> {
  const filter = ['-e', `trace=${call}`, '-e', `inject=${call}:error=${error}`, '-P', path]
  const strace = spawn('strace', ['-f', '-p', String(pid), ...filter], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const gone = once(strace, 'exit')
  await new Promise<void>((resolve, reject) => {
    let said = ''
    strace.stderr.on('data', (chunk: Buffer) => {
      said += chunk.toString()
      if (said.includes('attached')) resolve()
    })
    void gone.then(() => reject(new Error(`strace did not attach: ${said}`)))
  })
  return {
    mend: async () => {
      strace.kill('SIGTERM')
      await gone
    },
  }
}
