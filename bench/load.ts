/** A client that keeps a fixed number of requests under way, on connections that stay open, and times each. */
import { Agent, request } from 'node:http'

export interface Timed {
  readonly perSecond: number
  readonly p50Ms: number
  readonly p99Ms: number
  readonly failures: number
}

export interface Ask {
  readonly method: string
  readonly path: string
  readonly body?: string
}

export interface Target {
  readonly port: number
  readonly headers: Readonly<Record<string, string>>
}

/** Sends every request once, `concurrency` at a time. An answer that is not 2xx is a failure. */
export async function load(target: Target, asks: readonly Ask[], concurrency: number): Promise<Timed> {
  const agent = connections(concurrency)
  const times: number[] = []
  let failures = 0
  let next = 0
  const worker = async (): Promise<void> => {
    for (let ask = asks[next++]; ask !== undefined; ask = asks[next++]) {
      const began = performance.now()
      if ((await send(target, ask, agent)) >= 300) failures += 1
      times.push(performance.now() - began)
    }
  }
  const began = performance.now()
  await Promise.all(Array.from({ length: concurrency }, worker))
  const seconds = (performance.now() - began) / 1000
  agent.destroy()
  return { perSecond: asks.length / seconds, ...quantiles(times), failures }
}

/** Nearest rank. */
export function quantiles(times: readonly number[]): { p50Ms: number; p99Ms: number } {
  const sorted = times.toSorted((a, b) => a - b)
  const at = (share: number): number =>
    sorted[Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { p50Ms: at(0.5), p99Ms: at(0.99) }
}

export const median = (values: readonly number[]): number => quantiles(values).p50Ms

export const connections = (most: number): Agent => new Agent({ keepAlive: true, maxSockets: most })

/** One request; its status. */
export function send({ port, headers }: Target, { method, path, body }: Ask, agent: Agent): Promise<number> {
  return new Promise((resolve, reject) => {
    const length =
      body === undefined
        ? {}
        : { 'content-type': 'application/json', 'content-length': Buffer.byteLength(body) }
    const sent = request(
      { host: '127.0.0.1', port, agent, method, path, headers: { ...headers, ...length } },
      (response) => {
        response.resume()
        response.once('end', () => resolve(response.statusCode ?? 500))
      },
    )
    sent.once('error', reject)
    sent.end(body)
  })
}
