/**
 * Files between this device and its server: what an action needs, and what it brings back. Hashed on both sides, taken up again
 * where a connection broke, and never more than a part in memory. Each goes by a link of its own (`docs/protocol.md`).
 */
import { createHash } from 'node:crypto'
import { open, rename, type FileHandle } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { Link, devicePaths, fits, settleLimitMs, type LinkRequest } from '@countermand/contract'
import { ofItsOwn, timeLimit } from './connection.ts'
import { CannotBeDone } from './executors/executor.ts'
import { makeFolder, syncFolder, unlessGone } from './host/files.ts'

export interface Transfer {
  fetch(
    wanted: { actionId: string; sha256: string; size: number; name: string; folder: string },
    signal: AbortSignal,
  ): Promise<string>
  deliver(
    result: { actionId: string; index: number; content: () => AsyncIterable<Uint8Array> },
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
/** Of a result, sent at once: what is lost when a connection breaks, and what is held in memory. */
const partSize = 1024 * 1024
/** So often it is begun from its beginning. */
const mostTries = 5

export function openTransfer(options: TransferOptions): Transfer {
  return {
    fetch: async ({ actionId, sha256, size, name, folder }, signal) => {
      // Its own name: a script may look at $0, and somebody will read it in a list of processes.
      const place = join(folder, 'files', basename(name))
      await makeFolder(dirname(place))
      if ((await sha256OfFile(place)) === sha256) return place
      const way = new Way(options, actionId, { file: sha256 }, signal)
      await download(way, { sha256, size, place })
      return place
    },
    deliver: async ({ actionId, index, content }, signal) => {
      const way = new Way(options, actionId, { result: index }, signal)
      for (let tries = 0; tries < mostTries; tries += 1) {
        const stored = await upload(way, content)
        if (stored !== null) return stored
      }
      throw new CannotBeDone('The server lost what it had of the file, again and again.')
    },
  }
}

interface Asked {
  readonly method: 'GET' | 'HEAD' | 'PATCH'
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Buffer<ArrayBuffer>
  /** How many bytes go one way or the other, for the time that they may take. */
  readonly size: number
}

/** The way of one file: its link, asked for anew when it is over, and patience with everything that passes. */
class Way {
  readonly signal: AbortSignal
  private readonly options: TransferOptions
  private readonly actionId: string
  private readonly wanted: LinkRequest
  private until = performance.now() + settleLimitMs
  private link: string | null = null
  private failures = 0

  constructor(options: TransferOptions, actionId: string, wanted: LinkRequest, signal: AbortSignal) {
    this.options = options
    this.actionId = actionId
    this.wanted = wanted
    this.signal = signal
  }

  /** Throws `CannotBeDone` for a no that no other try changes, and other errors for what may pass. */
  async ask({ method, headers = {}, body, size }: Asked): Promise<Response> {
    this.link ??= await this.newLink()
    const response = await fetch(this.options.server + this.link, {
      method,
      headers: { ...headers, ...ofItsOwn },
      signal: AbortSignal.any([this.signal, timeLimit(size)]),
      ...(body !== undefined && { body }),
    })
    if (response.status === 403) this.link = null
    // A part may have been spoilt on its way (400), or another one is there (409): it is looked at, and sent again.
    return passable(response, method === 'PATCH' ? [404, 413] : [400, 404, 413, 416])
  }

  /** Again and again while it is only the way that fails, for as long as an action may take to settle without a step forward. */
  async untilItGoes<T>(attempt: () => Promise<T>): Promise<T> {
    for (;;) {
      try {
        const done = await attempt()
        this.failures = 0
        this.until = performance.now() + settleLimitMs
        return done
      } catch (thrown) {
        if (thrown instanceof CannotBeDone || this.signal.aborted) throw thrown
        if (performance.now() > this.until)
          throw new CannotBeDone(`It could not be transferred: ${String(thrown)}`)
        await pause(Math.min(250 * 2 ** this.failures, longestPauseMs), undefined, { signal: this.signal })
        this.failures += 1
      }
    }
  }

  private async newLink(): Promise<string> {
    const path = devicePaths.link.replace(':id', this.actionId)
    const response = await fetch(this.options.server + path, {
      method: 'POST',
      headers: {
        authorization: `Bearer ${this.options.ticket() ?? ''}`,
        'content-type': 'application/json',
        ...ofItsOwn,
      },
      body: JSON.stringify(this.wanted),
      signal: AbortSignal.any([this.signal, timeLimit(0)]),
    })
    if (response.status === 401) this.options.renew()
    const answer: unknown = await (await passable(response, [400, 404])).json()
    if (!fits(Link, answer)) throw new Error('the server gave no link')
    return answer.path
  }
}

/** Throws for whatever is no success; `CannotBeDone` for what is in `never`, since no other try changes it. */
async function passable(response: Response, never: readonly number[]): Promise<Response> {
  if (response.ok) return response
  if (never.includes(response.status))
    throw new CannotBeDone(`The server refused the file: ${(await response.text()).slice(0, 500)}`)
  await response.body?.cancel()
  throw new Error(`the server answered ${response.status}`)
}

/** Into a draft that grows, from wherever the last connection broke; under its own name once it is whole and on disk. */
async function download(
  way: Way,
  { sha256, size, place }: { sha256: string; size: number; place: string },
): Promise<void> {
  const draft = `${place}.draft`
  const file = await open(draft, 'w', 0o700)
  try {
    let have = 0
    await way.untilItGoes(async () => {
      if (have === size && size > 0) return
      const headers = have === 0 ? {} : { range: `bytes=${have}-` }
      const response = await way.ask({ method: 'GET', headers, size: size - have })
      if (have > 0 && response.status !== 206)
        throw new CannotBeDone('The server does not go on where it was.')
      for await (const chunk of response.body ?? []) {
        if (have + chunk.length > size)
          throw new CannotBeDone('The file that the server sent is longer than the one that was pinned.')
        await writeAt(file, chunk, have)
        have += chunk.length
      }
      if (have < size) throw new Error('the connection ended before the file did')
    })
    await file.sync()
  } finally {
    await file.close()
  }
  // Pinned at issue: what is run is what was asked for, or nothing. So it is the file that is looked at, not what came.
  if ((await sha256OfFile(draft)) !== sha256)
    throw new CannotBeDone('The file that the server sent is not the one that was pinned.')
  await rename(draft, place)
  await syncFolder(dirname(place))
}

/** At its place, and all of it: a disk that is full takes some of a chunk, and the next try begins where this one did. */
async function writeAt(file: FileHandle, chunk: Uint8Array, position: number): Promise<void> {
  for (let at = 0; at < chunk.length;) {
    const { bytesWritten } = await file.write(chunk, at, chunk.length - at, position + at)
    at += bytesWritten
  }
}

/** Null where the server has lost what it had, and all is to be sent anew. */
async function upload(
  way: Way,
  content: () => AsyncIterable<Uint8Array>,
): Promise<{ sha256: string; size: number } | null> {
  const whole = createHash('sha256')
  let offset = 0
  for await (const { part, isLast } of inParts(content())) {
    whole.update(part)
    const digest = isLast ? whole.digest() : null
    if (!(await send(way, { part, offset, digest }))) return null
    offset += part.length
    if (digest !== null) return { sha256: digest.toString('hex'), size: offset }
  }
  throw new Error('there was no last part')
}

interface Part {
  readonly part: Buffer<ArrayBuffer>
  readonly offset: number
  /** Of the whole; null where more follows. */
  readonly digest: Buffer | null
}

/** True when the server has the part; false when it has not what came before it. */
function send(way: Way, { part: whole, offset: from, digest }: Part): Promise<boolean> {
  let isSure = true
  return way.untilItGoes(async () => {
    let [part, offset] = [whole, from]
    // After a failure nobody knows whether the part has arrived: an answer may have been lost.
    if (!isSure) {
      const has = await standing(way)
      const isThere = has.offset === from + whole.length
      if (digest === null ? isThere : has.digest === base64(digest)) return true
      // All of it has arrived, and could not be kept as a whole: that alone is asked for again.
      if (isThere && from + whole.length > 0) [part, offset] = [whole.subarray(whole.length), has.offset]
      else if (from > 0 && has.offset !== from) return false
    }
    isSure = false
    const response = await way.ask({
      method: 'PATCH',
      headers: {
        'content-type': 'application/octet-stream',
        'upload-offset': String(offset),
        'upload-complete': digest === null ? '?0' : '?1',
        'content-digest': `sha-256=:${base64(createHash('sha256').update(part).digest())}:`,
        ...(digest !== null && { 'repr-digest': `sha-256=:${base64(digest)}:` }),
      },
      body: part,
      size: part.length,
    })
    await response.body?.cancel()
    return true
  })
}

/** What the server has of a result: how much, and once it has all, the digest of the whole. */
async function standing(way: Way): Promise<{ offset: number; digest: string | null }> {
  const { headers } = await way.ask({ method: 'HEAD', size: 0 })
  const [, digest = null] = /^sha-256=:(.+):$/.exec(headers.get('repr-digest') ?? '') ?? []
  const isComplete = headers.get('upload-complete') === '?1'
  return { offset: Number(headers.get('upload-offset') ?? 0), digest: isComplete ? digest : null }
}

const base64 = (bytes: Buffer): string => bytes.toString('base64')

/**
 * Parts of one size, and the last one, which may be empty. All in one buffer, good until the next is asked for: what is thrown away
 * at this rate fills the memory faster than it is swept.
 */
async function* inParts(
  content: AsyncIterable<Uint8Array>,
): AsyncIterable<{ part: Buffer<ArrayBuffer>; isLast: boolean }> {
  const part = Buffer.alloc(partSize)
  let size = 0
  for await (const chunk of content) {
    for (let rest = chunk; rest.length > 0;) {
      if (size === partSize) {
        yield { part, isLast: false }
        size = 0
      }
      const taken = rest.subarray(0, partSize - size)
      part.set(taken, size)
      size += taken.length
      rest = rest.subarray(taken.length)
    }
  }
  yield { part: part.subarray(0, size), isLast: true }
}

/** Null where there is no such file. */
async function sha256OfFile(path: string): Promise<string | null> {
  const file = await open(path, 'r').catch(unlessGone)
  if (file === null) return null
  try {
    const hash = createHash('sha256')
    const buffer = Buffer.alloc(256 * 1024)
    for (;;) {
      const { bytesRead } = await file.read(buffer, 0, buffer.length)
      if (bytesRead === 0) return hash.digest('hex')
      hash.update(buffer.subarray(0, bytesRead))
    }
  } finally {
    await file.close()
  }
}
