/** Files between this device and its server: what an action needs, and what it brings back. Hashed on both sides. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { devicePaths, settleLimitMs } from '@countermand/contract'
import { ofItsOwn, timeLimit } from './connection.ts'
import { CannotBeDone } from './executors/executor.ts'
import { makeFolder, writeDurably } from './host/files.ts'

export interface Transfer {
  fetch(
    wanted: { actionId: string; sha256: string; size: number; name: string; folder: string },
    signal: AbortSignal,
  ): Promise<string>
  deliver(
    result: { actionId: string; index: number; content: Uint8Array },
    signal: AbortSignal,
  ): Promise<{ sha256: string; size: number }>
}

export interface TransferOptions {
  readonly server: string
  readonly ticket: () => string | null
  /** The ticket was refused: a sync brings a new one. */
  readonly renew: () => void
}

const longestPauseMs = 15_000

export const sha256Of = (content: Uint8Array): string => createHash('sha256').update(content).digest('hex')

export function openTransfer(options: TransferOptions): Transfer {
  const ask = async (
    path: string,
    size: number,
    stop: AbortSignal,
    init: RequestInit = {},
  ): Promise<Response> => {
    const headers = { authorization: `Bearer ${options.ticket() ?? ''}`, ...ofItsOwn }
    const signal = AbortSignal.any([stop, timeLimit(size)])
    const response = await fetch(options.server + path, { ...init, headers, signal })
    if (response.status === 401) options.renew()
    return response
  }
  return {
    fetch: async ({ actionId, sha256, size, name, folder }, signal) => {
      // Its own name: a script may look at $0, and somebody will read it in a list of processes.
      const place = join(folder, 'files', basename(name))
      await makeFolder(dirname(place))
      const kept = await readFile(place).catch(() => null)
      if (kept !== null && sha256Of(kept) === sha256) return place
      const path = devicePaths.file.replace(':id', actionId).replace(':sha256', sha256)
      const content = await untilItGoes(signal, async () => read(await ask(path, size, signal), size))
      // Pinned at issue: what is run is what was asked for, or nothing.
      if (sha256Of(content) !== sha256)
        throw new CannotBeDone('The file that the server sent is not the one that was pinned.')
      await writeDurably(place, content, 0o700)
      return place
    },
    deliver: ({ actionId, index, content }, signal) => {
      const path = devicePaths.result.replace(':id', actionId).replace(':index', String(index))
      const sha256 = sha256Of(content)
      return untilItGoes(signal, async () => {
        const response = await ask(path, content.length, signal, {
          method: 'PUT',
          body: Buffer.from(content),
        })
        const stored: { sha256?: unknown } = JSON.parse(new TextDecoder().decode(await read(response, 4096)))
        if (stored.sha256 !== sha256) throw new Error('the server has stored something else')
        return { sha256, size: content.length }
      })
    },
  }
}

async function read(response: Response, most: number): Promise<Uint8Array> {
  if (response.status === 404 || response.status === 413 || response.status === 400) {
    throw new CannotBeDone(`The server refused the file: ${(await response.text()).slice(0, 500)}`)
  }
  if (!response.ok) throw new Error(`the server answered ${response.status}`)
  const content = new Uint8Array(await response.arrayBuffer())
  if (content.length > most)
    throw new CannotBeDone('The file that the server sent is longer than the one that was pinned.')
  return content
}

/** Again and again while it is only the way that fails, for as long as an action may take to settle. */
async function untilItGoes<T>(signal: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  const until = performance.now() + settleLimitMs
  for (let failures = 0; ; failures += 1) {
    try {
      return await attempt()
    } catch (thrown) {
      if (thrown instanceof CannotBeDone || signal.aborted) throw thrown
      if (performance.now() > until) throw new CannotBeDone(`It could not be transferred: ${String(thrown)}`)
      await pause(Math.min(250 * 2 ** failures, longestPauseMs), undefined, { signal })
    }
  }
}
