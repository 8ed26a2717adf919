/** Stands between a playbook and its server, passes everything on, and keeps what a playbook says and hears. */
import { createWriteStream, type WriteStream } from 'node:fs'
import {
  createServer,
  request as ask,
  type IncomingMessage,
  type Server,
  type ServerResponse,
} from 'node:http'
import { once } from 'node:events'
import { messageOf, pathMasked, replayHeader, type Exchange, type Line } from './recording.ts'

/** What is longer is passed on, and not kept. */
const longest = 4 * 1024 * 1024
/** What devices say to their server is no playbook's, and what is played is recorded already. */
const isKept = ({ url = '/', headers }: IncomingMessage): boolean =>
  !url.startsWith('/device/') &&
  !url.includes('/api/countermand/events') &&
  headers[replayHeader] === undefined

export interface Recorder {
  name(device: string, name: string): void
  close(): Promise<void>
}

/** Listens at `listen` when this resolves. `server`: where what is asked there goes. */
export async function openRecorder(options: {
  readonly file: string
  readonly listen: { readonly host: string; readonly port: number }
  readonly server: { readonly host: string; readonly port: number }
}): Promise<Recorder> {
  const file = createWriteStream(options.file, { mode: 0o600 })
  await once(file, 'open')
  const write = (line: Line): void => void file.write(`${JSON.stringify(line)}\n`)
  const http: Server = createServer((request, response) => pass({ request, response, write }, options.server))
  // A stream of events lasts, and nobody waits for its end.
  http.requestTimeout = 0
  http.listen(options.listen.port, options.listen.host)
  await once(http, 'listening')
  return {
    name: (device, name) => write({ device, name }),
    close: async () => {
      http.closeAllConnections()
      http.close()
      await ended(file)
    },
  }
}

const ended = (file: WriteStream): Promise<void> => new Promise((resolve) => void file.end(() => resolve()))

interface Passing {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly write: (line: Exchange) => void
}

function pass({ request, response, write }: Passing, server: { host: string; port: number }): void {
  const { method = 'GET', url = '/', headers } = request
  const [said, heard] = [new Kept(), new Kept()]
  const at = new Date().toISOString()
  const onward = ask({ ...server, method, path: url, headers }, (answer) => {
    response.writeHead(answer.statusCode ?? 502, answer.rawHeaders)
    answer.on('data', (chunk: Buffer) => heard.take(chunk))
    answer.pipe(response)
    answer.once('end', () => {
      if (!isKept(request) || said.isTooLong || heard.isTooLong) return
      const asked = { at, method, path: pathMasked(url), request: messageOf(headers, said.bytes()) }
      write({ ...asked, status: answer.statusCode ?? 0, answer: messageOf(answer.headers, heard.bytes()) })
    })
    answer.once('error', () => response.destroy())
  })
  onward.once('error', () => response.destroy())
  response.once('close', () => onward.destroy())
  request.on('data', (chunk: Buffer) => said.take(chunk))
  request.pipe(onward)
}

class Kept {
  isTooLong = false
  private readonly chunks: Buffer[] = []
  private length = 0

  take(chunk: Buffer): void {
    this.length += chunk.length
    this.isTooLong = this.length > longest
    if (!this.isTooLong) this.chunks.push(chunk)
  }

  bytes(): Buffer {
    return Buffer.concat(this.chunks)
  }
}
