/**
 * The network between a device and its server: connections through it can be cut, slowed, broken at random points, or left as they
 * are when a host vanishes: open, and silent for good. Where the kernel can do that itself (netem), few have it.
 */
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'

export interface Shape {
  /** One way. */
  readonly latencyMs: number
  readonly bytesPerSecond: number
}

/** What becomes of a connection's bytes. */
export type Way =
  | { readonly is: 'open'; readonly shape?: Shape }
  /** Refused, and what there was is reset. */
  | { readonly is: 'cut' }
  /** What is sent is swallowed, as one lost line of a stream. */
  | { readonly is: 'swallowing' }
  /** The other host is gone without a word: what was open stays so and is dead for good, what is opened is never answered. */
  | { readonly is: 'vanished' }
  /** Each connection breaks after as many bytes as this answers, both directions together; `Infinity`: it does not. */
  | { readonly is: 'breaking'; readonly after: () => number }

export interface Proxy {
  readonly url: string
  leadTo(port: number): void
  /** For connections from now on; those that there are follow, except that what is in flight arrives. */
  set(way: Way): void
  /** How many connections it has broken or refused. */
  broken(): number
  close(): Promise<void>
}

export async function openProxy(): Promise<Proxy> {
  let way: Way = { is: 'open' }
  let target = 0
  let broken = 0
  const dead = new Set<Socket>()
  const pairs = new Set<readonly [Socket, Socket]>()
  const reset = (pair: readonly [Socket, Socket]): void => {
    if (!pairs.delete(pair)) return
    broken += 1
    for (const socket of pair) socket.resetAndDestroy()
  }
  const bury = (socket: Socket): void => {
    socket.removeAllListeners().on('error', () => undefined)
    dead.add(socket.pause())
  }
  const server = createServer({ pauseOnConnect: true }, (near) => {
    if (way.is === 'vanished') return bury(near)
    if (way.is === 'cut') {
      broken += 1
      near.resetAndDestroy()
      return
    }
    near.resume()
    const far = connect(target, '127.0.0.1')
    const pair = [near, far] as const
    pairs.add(pair)
    let left = way.is === 'breaking' ? way.after() : Number.POSITIVE_INFINITY
    const spend = (bytes: number): boolean => {
      left -= bytes
      return left >= 0
    }
    pass(pair, () => way, { spend, broke: () => reset(pair) })
    pass([far, near], () => way, { spend, broke: () => reset(pair) })
    for (const socket of pair) socket.once('close', () => pairs.delete(pair))
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = address !== null && typeof address === 'object' ? address.port : 0
  return {
    url: `http://127.0.0.1:${port}`,
    leadTo: (next) => (target = next),
    set: (next) => {
      way = next
      if (next.is === 'cut') for (const pair of pairs) reset(pair)
      if (next.is !== 'vanished') return
      for (const socket of [...pairs].flat()) bury(socket)
      pairs.clear()
    },
    broken: () => broken,
    close: async () => {
      for (const pair of pairs) reset(pair)
      for (const socket of dead) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

interface Fuse {
  readonly spend: (bytes: number) => boolean
  readonly broke: () => void
}

/** One direction. Its end and its errors are passed on like its bytes, in order, or kept back with them. */
function pass([from, to]: readonly [Socket, Socket], wayNow: () => Way, { spend, broke }: Fuse): void {
  let freeAt = 0
  const turn: (() => void)[] = []
  const send = (act: () => void, bytes: number): void => {
    const way = wayNow()
    if (way.is === 'swallowing') return
    const { latencyMs, bytesPerSecond } = shapeOf(way)
    freeAt = Math.max(freeAt, performance.now()) + (bytes / bytesPerSecond) * 1_000
    const waitMs = freeAt + latencyMs - performance.now()
    // Timers are rounded, and may overtake each other: whichever comes first does what is first in turn.
    turn.push(act)
    if (waitMs < 1 && turn.length === 1) turn.shift()?.()
    else setTimeout(() => turn.shift()?.(), Math.max(0, waitMs))
  }
  from.on('data', (chunk: Buffer) => {
    if (wayNow().is === 'swallowing') return
    if (!spend(chunk.length)) return broke()
    send(() => to.writable && to.write(chunk), chunk.length)
  })
  from.on('end', () => send(() => to.writable && to.end(), 0))
  from.on('error', () => send(() => to.destroy(), 0))
}

const unshaped: Shape = { latencyMs: 0, bytesPerSecond: Number.POSITIVE_INFINITY }
const shapeOf = (way: Way): Shape => (way.is === 'open' ? (way.shape ?? unshaped) : unshaped)
