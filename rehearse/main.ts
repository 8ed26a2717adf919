/** `npm run rehearse`: a server, pretended devices for it, and a picture of what happens. */
import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { LiveEvent } from '../packages/contract/src/index.ts'
import { openApi, type Api } from './api.ts'
import { follow } from './events.ts'
import { startFleets } from './fleets.ts'
import { memoryOf, runLoad } from './load.ts'
import { namesOf, OptionError, readOptions, usage, type Options } from './options.ts'
import { openPicture, openPlain, type View } from './view.ts'
import { startServer } from './server-process.ts'
import { openRecorder, type Recorder } from './recorder.ts'
import { Rehearsal } from './state.ts'

const commentWithinMs = 2_000

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) return console.log(usage)
  const options = readOptions(args)
  const leaving = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => leaving.abort())
  mkdirSync(join(options.dataFolder, 'devices'), { recursive: true, mode: 0o700 })

  const { record, listen } = options
  const inner = record === null ? listen : `127.0.0.1:${await freePort()}`
  const publicUrl = record === null ? null : `http://${listen}`
  console.log('Starting the server …')
  const server = await startServer({ ...options, listen: inner, publicUrl })
  const recorder =
    record === null
      ? null
      : await openRecorder({ file: record, listen: placeOf(listen), server: placeOf(inner) })
  try {
    const { tokenUrl, ...known } = server.credentials
    const here = (url: string): string => `http://${inner}${new URL(url).pathname.replace(/\/$/, '')}`
    // What the rehearsal asks for itself is no part of a playbook.
    const api = openApi({ ...known, apiUrl: here(known.apiUrl), tokenUrl: here(tokenUrl) })
    await rehearse(options, { api, server, recorder, leaving: leaving.signal })
  } finally {
    await recorder?.close()
    await server.stop()
  }
}

interface Stage {
  readonly api: Api
  readonly server: Awaited<ReturnType<typeof startServer>>
  /** Null where nothing is kept. */
  readonly recorder: Recorder | null
  readonly leaving: AbortSignal
}

async function rehearse(options: Options, { api, server, recorder, leaving }: Stage): Promise<void> {
  const state = new Rehearsal()
  const comments = new Comments(api)
  const view: View = options.isPlain ? openPlain(state, options.load !== null) : openPicture(state)
  const over = new AbortController()
  const following = follow(
    api,
    (event) => {
      comments.hear(event)
      state.hear(event)
      view.heard(event)
    },
    over.signal,
  )
  const devices = namesOf(options).map((device) => ({
    ...device,
    dataFolder: join(options.dataFolder, 'devices', device.name),
  }))
  const memoryBefore = memoryOf(server.pid)
  const fleets = startFleets({
    ...options,
    devices,
    tokenFor: (machineId) => tokenFor(api, machineId),
    commentOf: (id) => comments.of(id),
    told: (fleet, { reachable, enrolled }) => {
      state.devices(fleet, reachable, enrolled)
      view.devices(enrolled)
      for (const [id, name] of enrolled) recorder?.name(id, name)
    },
    log: (device, line) => view.log(device, line),
  })
  view.begin({ options, server, devices: devices.length })
  try {
    const parts = {
      api,
      serverPid: server.pid,
      memoryBefore,
      seed: options.seed,
      devices: devices.length,
      leaving: AbortSignal.any([leaving, over.signal]),
    }
    const work =
      options.load === null
        ? untilAborted(leaving)
        : runLoad({
            ...parts,
            ...options.load,
            machines: () => [...state.names.keys()],
            truths: () => fleets.truths(),
            say: (line) => view.say(line),
          }).then(({ faults }) => void (process.exitCode = faults.length === 0 ? 0 : 1))
    await Promise.race([work, server.died, fleets.died])
  } finally {
    view.end()
    over.abort()
    await fleets.stop()
    await following
  }
}

async function tokenFor(api: Api, machineId: string | null): Promise<string> {
  const body = machineId === null ? {} : { MachineId: machineId }
  const answer = await api.ask<{ enrolmentToken: string }>('POST', '/api/countermand/enrolmenttokens', body)
  return answer.enrolmentToken
}

/** What each action was asked for with: told by the stream, or asked for where that is late. */
class Comments {
  private readonly known = new Map<string, string>()
  private readonly api: Api

  constructor(api: Api) {
    this.api = api
  }

  hear({ kind, actionId, data }: LiveEvent): void {
    if (kind !== 'action.requested' || actionId === null) return
    this.known.set(actionId, typeof data.comment === 'string' ? data.comment : '')
  }

  async of(id: string): Promise<string> {
    const until = Date.now() + commentWithinMs
    while (!this.known.has(id) && Date.now() < until) await pause(10)
    const known = this.known.get(id)
    if (known !== undefined) {
      this.known.delete(id)
      return known
    }
    const action = await this.api
      .ask<{ requestorComment: string | null }>('GET', `/api/machineactions/${id}`)
      .catch(() => null)
    return action?.requestorComment ?? ''
  }
}

function placeOf(listen: string): { readonly host: string; readonly port: number } {
  const { hostname, port } = new URL(`http://${listen}`)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: Number(port) }
}

async function freePort(): Promise<number> {
  const server = createServer()
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

const untilAborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

main(process.argv.slice(2)).catch((thrown: unknown) => {
  console.error(thrown instanceof Error ? thrown.message : thrown)
  process.exitCode = thrown instanceof OptionError ? 2 : 1
})
