/** Requests by chance against a whole server over real sockets, over and over. */
import { readFileSync, readdirSync } from 'node:fs'
import { Agent, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { enrol } from '../../packages/server/src/testing/device.ts'
import { numbers } from '../../packages/server/src/testing/dice.ts'
import { openServer, type TestServer } from '../../packages/server/src/testing/server.ts'
import { faultsOf, type Got } from './judge.ts'
import { requestOf, type Sent } from './requests.ts'
import { tokensOf } from './tokens.ts'
import type { Pool } from './words.ts'

export interface Fuzzed {
  /** What was wrong with which request. */
  readonly faults: readonly string[]
  readonly statuses: ReadonlyMap<number, number>
  /** Operations that have been answered other than by a refusal. */
  readonly done: ReadonlySet<string>
  /** Used heap after each batch, in bytes. */
  readonly heap: readonly number[]
  /** Growth of the heap for each request in the second half, in bytes. */
  readonly slope: number
}

const batches = 40
const atOnce = 8
/** Beyond this an answer does not come, in milliseconds. */
const patienceMs = 30_000

/** `from` is the number of the first request. */
export async function runFuzz(seed: number, count: number, from = 0): Promise<Fuzzed> {
  const server = await openServer()
  const agent = new Agent({ keepAlive: true, maxSockets: atOnce })
  try {
    await server.http.listen({ host: '127.0.0.1', port: 0 })
    const { port } = server.http.server.address() as AddressInfo
    const pool = await poolOf(server)
    const round = { seed, pool, secrets: secretsOf(server, pool), agent, port }
    const heap: number[] = []
    const found = { faults: [] as string[], statuses: new Map<number, number>(), done: new Set<string>() }
    const size = Math.ceil(count / batches)
    for (let begin = from; begin < from + count; begin += size) {
      await batch(
        round,
        numbers(Math.min(size, from + count - begin)).map((n) => begin + n),
        found,
      )
      heap.push(usedHeap())
    }
    return { ...found, heap, slope: slopeOf(heap.slice(heap.length / 2)) / size }
  } finally {
    agent.destroy()
    await server.close()
  }
}

interface Round {
  readonly seed: number
  readonly pool: Pool
  readonly secrets: readonly string[]
  readonly agent: Agent
  readonly port: number
}

interface Found {
  readonly faults: string[]
  readonly statuses: Map<number, number>
  readonly done: Set<string>
}

async function batch(round: Round, ids: readonly number[], found: Found): Promise<void> {
  const waiting = ids.values()
  const lane = async (): Promise<void> => {
    for (const n of waiting) await one(round, n, found)
  }
  await Promise.all(numbers(atOnce).map(lane))
}

async function one({ seed, pool, secrets, agent, port }: Round, n: number, found: Found): Promise<void> {
  const sent = requestOf(seed, n, pool)
  const what = `request ${n} (${sent.method} ${sent.path.slice(0, 200)}, token: ${sent.token})`
  try {
    const got = await exchange(agent, port, sent)
    found.statuses.set(got.status, (found.statuses.get(got.status) ?? 0) + 1)
    if (got.status < 400 && sent.operation !== null) found.done.add(sent.operation)
    for (const fault of faultsOf(sent, got, secrets))
      found.faults.push(`${what} ${fault}: ${got.text.slice(0, 300)}`)
  } catch (thrown) {
    found.faults.push(`${what} has no answer: ${String(thrown)}`)
  }
}

function exchange(agent: Agent, port: number, { method, path, headers, body }: Sent): Promise<Got> {
  return new Promise((resolve, reject) => {
    const length = body.length > 0 ? { 'content-length': `${body.length}` } : {}
    const asked = request(
      { agent, host: '127.0.0.1', port, method, path, headers: { ...headers, ...length } },
      (answer) => {
        let text = ''
        answer.setEncoding('utf8')
        answer.on('data', (part: string) => (text += part))
        answer.on('end', () => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, text }))
        answer.on('error', reject)
      },
    )
    asked.setTimeout(patienceMs, () => asked.destroy(new Error('it takes too long')))
    asked.on('error', reject)
    asked.end(body)
  })
}

async function poolOf(server: TestServer): Promise<Pool> {
  await server.upload('run.sh')
  const made = await Promise.all(numbers(6).map((n) => enrol(server, { name: `ws-${n}` })))
  const ids = made.map(({ machineId }) => machineId)
  for (const device of made) await device.sync()
  const actions = await Promise.all(ids.slice(0, 3).map(async (id) => (await server.issue(id)).id))
  const [machine = '', ...others] = ids
  const [action = '', ...more] = actions
  return {
    machines: [machine, ...others, 'ws-0'],
    actions: [action, ...more],
    tokens: await tokensOf(server),
    tenant: server.app.identity.tenantId,
  }
}

/** Keys, and tokens that let somebody in. */
function secretsOf(server: TestServer, { tokens }: Pool): readonly string[] {
  const folder = join(server.folder, 'keys')
  const keys = readdirSync(folder).flatMap((name) => {
    const bytes = readFileSync(join(folder, name))
    const parts = [...bytes.toString('latin1').matchAll(/"(?:d|p|q|dp|dq|qi)":\s*"([\w-]{20,})"/g)]
    return [...parts.map(([, part = '']) => part), bytes.toString('base64url').slice(0, 40)]
  })
  const signatures = tokens.map(({ text }) => text?.split('.')[2] ?? '').filter(({ length }) => length > 40)
  return [...keys, ...signatures, server.folder]
}

let collect: (() => void) | null = null
function usedHeap(): number {
  if (collect === null) {
    setFlagsFromString('--expose-gc')
    collect = runInNewContext('gc') as () => void
  }
  collect()
  return process.memoryUsage().heapUsed
}

/** Least squares: growth from one value to the next. */
function slopeOf(values: readonly number[]): number {
  const middle = (values.length - 1) / 2
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  const rise = values.reduce((sum, value, n) => sum + (n - middle) * (value - mean), 0)
  const run = values.reduce((sum, _, n) => sum + (n - middle) ** 2, 0)
  return run === 0 ? 0 : rise / run
}
