/** Cancels a second over HTTP, durable and chained, beside a bare route: same client, same concurrency, interleaved. */
import { fork } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { load, median, type Timed } from './load.ts'

interface Served {
  readonly ids: readonly string[]
  readonly port: number
  readonly barePort: number
  readonly clientId: string
  readonly clientSecret: string
  readonly tenantId: string
}

const rounds = 5
const concurrency = 64

export async function benchCancels(actions: number, perRound: number): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-bench-'))
  console.log(`filling a store with ${actions} open actions, half of them offered …`)
  const server = fork(new URL('./serve-cancels.ts', import.meta.url), [folder, String(actions)])
  try {
    const told = await new Promise<string>((resolve, reject) => {
      server.once('message', (message) => {
        if (typeof message === 'string') resolve(message)
      })
      server.once('exit', reject)
    })
    const served: Served = JSON.parse(told)
    await run(served, perRound)
  } finally {
    server.kill('SIGINT')
    rmSync(folder, { recursive: true, force: true })
  }
}

async function run(served: Served, perRound: number): Promise<void> {
  const token = await tokenOf(served)
  const target = { port: served.port, headers: { authorization: `Bearer ${token}` } }
  const ids = shuffled(served.ids)
  const found: { cancel: Timed; bare: Timed }[] = []
  for (let round = 0; round <= rounds; round += 1) {
    const mine = ids.splice(0, perRound)
    const asks = mine.map((id) => ({
      method: 'POST',
      path: `/api/machineactions/${id}/cancel`,
      body: '{"Comment":"bench"}',
    }))
    const constants = mine.map(() => ({ method: 'POST', path: '/constant', body: '{"Comment":"bench"}' }))
    const bare = await load({ port: served.barePort, headers: target.headers }, constants, concurrency)
    const cancel = await load(target, asks, concurrency)
    // The first round warms both up.
    if (round > 0) found.push({ cancel, bare })
    console.log(
      `  round ${round}: cancel ${line(cancel)}   bare ${line(bare)}   ratio ${(cancel.perSecond / bare.perSecond).toFixed(3)}`,
    )
  }
  const ratio = median(found.map(({ cancel, bare }) => cancel.perSecond / bare.perSecond))
  console.log(`durable cancel : bare constant route = ${ratio.toFixed(3)} (median of ${rounds})`)
}

const line = ({ perSecond, p99Ms, failures }: Timed): string =>
  `${Math.round(perSecond)}/s p99 ${p99Ms.toFixed(1)} ms${failures > 0 ? ` ${failures} FAILED` : ''}`

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
