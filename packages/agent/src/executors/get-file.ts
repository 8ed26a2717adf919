/** GetFile: a file of this host, compressed on its way to the server; nothing of it is kept here. */
import type { GetFile } from '@countermand/contract'
import { cannotBeDone, type Run, type Step } from './executor.ts'
import { nothingUndone } from './program.ts'

export const getFile = ({ path, limit, limitMs }: GetFile): Step => ({
  limitMs,
  work: 'agent',
  prepare: () => Promise.resolve(null),
  tend: () => Promise.resolve(),

  conclude: async (run) => {
    const { sha256, size } = await run.deliver(() => compressed(run, path, limit))
    return { failed: false, errors: [], result: { sha256, size, fileName: `${lastName(path)}.gz` } }
  },

  undo: () => Promise.resolve(nothingUndone),
})

async function* compressed(run: Run, path: string, limit: number): AsyncIterable<Uint8Array> {
  const { size, content } = await run.host.files.readCompressed(path, limit, run.signal).catch(cannotBeDone)
  for await (const { chunk, read } of content) {
    const of = size === 0 ? '' : ` of ${megabytes(size)}`
    run.look(
      size === 0 ? null : Math.min(1, read / size),
      `${megabytes(read)}${of} MB of ${path}`.slice(0, 300),
    )
    yield chunk
  }
}

const megabytes = (bytes: number): string => (bytes / 1e6).toFixed(1)

const lastName = (path: string): string => path.replace(/\/+$/, '').split('/').at(-1) || 'file'
