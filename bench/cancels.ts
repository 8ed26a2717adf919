/**
 * Cancels a second over HTTP with token, limit, event chain and sync to disk, beside a bare Fastify route that answers a
 * constant: same client, same concurrency, interleaved. The history that they leave is verified afterwards.
 */
import { fork, spawnSync, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connections, load, median, quantiles, send, type Ask, type Target, type Timed } from './load.ts'

interface Served {
  readonly ids: readonly string[]
  readonly port: number
  readonly barePort: number
  readonly clientId: string
  readonly clientSecret: string
  readonly tenantId: string
}

interface Round {
  readonly cancel: Timed
  readonly bare: Timed
  readonly read: Timed
}

export interface Size {
  readonly actions: number
  readonly perRound: number
}

/** The compiler of the runtime is at work during the first. */
const warmUps = 3
const rounds = 5
/** Each waits for its answer before it asks again; of cancels, which wait for a disk, there are more a second with the larger number. */
const callers = [128, 256] as const
/** Beside the cancels somebody looks at single actions, one at a time. */
const readEveryMs = 20

export async function benchCancels({ actions, perRound }: Size, databaseUrl: string | null): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-bench-'))
  const name = databaseUrl === null ? 'SQLite' : 'PostgreSQL'
  console.log(`${name}: filling a store with ${actions} open actions, half of them offered …`)
  const program = new URL('./serve-cancels.ts', import.meta.url)
  const server = fork(program, [folder, String(actions), databaseUrl ?? ''])
  try {
    const served = await told(server)
    // Each action is cancelled once, and there is always one left to be looked at.
    const most = Math.floor((actions - 1) / (warmUps + rounds * callers.length))
    await run(name, served, Math.min(perRound, most))
    server.kill('SIGINT')
    await once(server, 'exit')
    checkHistory(folder, databaseUrl)
  } finally {
    server.kill('SIGKILL')
    rmSync(folder, { recursive: true, force: true })
  }
}

async function told(server: ChildProcess): Promise<Served> {
  const message = await new Promise<string>((resolve, reject) => {
    server.once('message', (text) => (typeof text === 'string' ? resolve(text) : undefined))
    server.once('exit', reject)
  })
  return JSON.parse(message)
}

async function run(name: string, served: Served, perRound: number): Promise<void> {
  const headers = { authorization: `Bearer ${await tokenOf(served)}` }
  const target = { port: served.port, headers }
  const ids = shuffled(served.ids)
  const round = async (which: string, at: number): Promise<Round> => {
    const mine = ids.splice(0, perRound)
    const bare = await load({ port: served.barePort, headers }, mine.map(constant), at)
    const reads = lookMeanwhile(target, ids)
    const cancel = await load(target, mine.map(cancelOf), at)
    const now = { cancel, bare, read: await reads.end() }
    console.log(
      `  ${which}, ${at} callers: cancel ${line(cancel)}   bare ${line(bare)}   GET meanwhile p99 ${now.read.p99Ms.toFixed(1)} ms${failed(now.read)}   ratio ${ratioOf(now).toFixed(3)}`,
    )
    return now
  }
  for (let warmUp = 1; warmUp <= warmUps; warmUp += 1) await round('warm-up', callers[1])
  const found = callers.map((at) => ({ at, all: new Array<Round>() }))
  for (let number = 1; number <= rounds; number += 1)
    for (const { at, all } of found) all.push(await round(`round ${number}`, at))
  for (const { at, all } of found) summarize(`${name}, ${at} callers`, all)
}

const ratioOf = ({ cancel, bare }: Round): number => cancel.perSecond / bare.perSecond

function summarize(what: string, all: readonly Round[]): void {
  const middle = (of: (round: Round) => number): number => median(all.map(of))
  const perSecond = middle(({ cancel }) => cancel.perSecond)
  const p99 = [
    `cancel ${middle(({ cancel }) => cancel.p99Ms).toFixed(1)} ms`,
    `bare route ${middle(({ bare }) => bare.p99Ms).toFixed(1)} ms`,
    `GET of one action meanwhile ${middle(({ read }) => read.p99Ms).toFixed(1)} ms`,
  ]
  console.log(
    `${what}: durable cancel : bare constant route = ${middle(ratioOf).toFixed(3)} (median of ${rounds})`,
  )
  console.log(`${what}: ${Math.round(perSecond)} cancels a second; p99 ${p99.join(', ')} (medians)`)
}

const constant = (): Ask => ({ method: 'POST', path: '/constant', body: '{"Comment":"bench"}' })
const cancelOf = (id: string): Ask => ({ ...constant(), path: `/api/machineactions/${id}/cancel` })

/** Reads one action after the other, with a pause, until it is told to end. */
function lookMeanwhile(target: Target, ids: readonly string[]): { end(): Promise<Timed> } {
  const over = new AbortController()
  const all = (async () => {
    const agent = connections(1)
    const times: number[] = []
    let failures = 0
    while (!over.signal.aborted) {
      const id = ids[times.length % ids.length] ?? ''
      const began = performance.now()
      const status = await send(target, { method: 'GET', path: `/api/machineactions/${id}` }, agent)
      times.push(performance.now() - began)
      if (status !== 200) failures += 1
      await new Promise((resolve) => setTimeout(resolve, readEveryMs))
    }
    agent.destroy()
    return { perSecond: 0, ...quantiles(times), failures }
  })()
  return {
    end: async () => {
      over.abort()
      return all
    },
  }
}

const line = ({ perSecond, p99Ms, failures }: Timed): string =>
  `${Math.round(perSecond)}/s p99 ${p99Ms.toFixed(1)} ms${failed({ failures })}`

const failed = ({ failures }: Pick<Timed, 'failures'>): string => (failures > 0 ? ` ${failures} FAILED` : '')

/** @throws when a link of the history that the cancels left does not hold */
function checkHistory(folder: string, databaseUrl: string | null): void {
  const program = fileURLToPath(new URL('../packages/server/src/verify/main.ts', import.meta.url))
  const database = databaseUrl === null ? [] : ['--database-url', databaseUrl]
  const { status, stdout } = spawnSync(process.execPath, [program, '--data', folder, ...database], {
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  })
  if (status !== 0) throw new Error(`verify ended with ${status}:\n${stdout.slice(0, 2_000)}`)
  console.log(`  verified afterwards: ${stdout.trim().split('\n').at(-1) ?? ''}`)
}

async function tokenOf({ port, tenantId, clientId, clientSecret }: Served): Promise<string> {
  const scope = 'https://api.securitycenter.microsoft.com/.default'
  const form = { grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, scope }
  const url = `http://127.0.0.1:${port}/${tenantId}/oauth2/v2.0/token`
  const response = await fetch(url, { method: 'POST', body: new URLSearchParams(form) })
  const token: { access_token: string } = JSON.parse(await response.text())
  return token.access_token
}

function shuffled<T>(items: readonly T[]): T[] {
  const mixed = [...items]
  for (let at = mixed.length - 1; at > 0; at -= 1) {
    const other = Math.floor(Math.random() * (at + 1))
    const [a, b] = [mixed[at], mixed[other]]
    if (a !== undefined && b !== undefined) [mixed[at], mixed[other]] = [b, a]
  }
  return mixed
}
