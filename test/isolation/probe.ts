/**
 * Started inside a namespace: does what it is told, one JSON line each, and answers by one. Firewall and traffic of one end of the
 * network; the tests themselves stay outside, so that no rule of theirs is ever the host's.
 */
import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { createInterface } from 'node:readline'
import { setTimeout as pause } from 'node:timers/promises'
import { openFirewall } from '../../packages/agent/src/host/firewall/firewall.ts'
import type { Barrier, Firewall } from '../../packages/agent/src/host/firewall/types.ts'

export type Order =
  | { readonly do: 'firewall'; readonly name: string; readonly folder: string }
  | { readonly do: 'apply' | 'difference'; readonly barrier: Barrier | null }
  /** Begins, and answers at once: for who is killed in the middle. */
  | { readonly do: 'begin'; readonly barrier: Barrier | null }
  | { readonly do: 'watch' | 'unwatch' | 'calls' | 'logged' | 'lack' }
  /** Whose process this is from now on. */
  | { readonly do: 'become'; readonly user: number }
  /** Says back what is said. */
  | { readonly do: 'listen'; readonly port: number }
  /** Answers `open`, or how it failed: the system's name, or `silent`. */
  | { readonly do: 'connect'; readonly as: string; readonly to: string; readonly port: number }
  /** Answers `heard` when it was said back, the system's name of an error, or `silent`. */
  | { readonly do: 'say'; readonly as: string }
  /** What has become of a connection that somebody else opened to here, by where it comes from. */
  | { readonly do: 'fate'; readonly from: string }
  | { readonly do: 'push'; readonly from: string }

/** Longer than a packet's way back, much shorter than TCP's patience. */
const silenceMs = 1_200

let firewall: Firewall | null = null
let unwatch: (() => void) | null = null
let calls = 0
const logged: string[] = []
const servers: Server[] = []
const outbound = new Map<string, Socket>()
const inbound: { readonly from: string; readonly socket: Socket; fate: string }[] = []

function theFirewall(): Firewall {
  if (firewall === null) throw new Error('no firewall yet')
  return firewall
}

async function carryOut(order: Order): Promise<unknown> {
  switch (order.do) {
    case 'firewall':
      firewall = openFirewall({ ...order, log: (line) => void logged.push(line) })
      return null
    case 'apply':
      return theFirewall().apply(order.barrier)
    case 'begin':
      void theFirewall().apply(order.barrier)
      return null
    case 'difference':
      return theFirewall().difference(order.barrier)
    case 'lack':
      return theFirewall().lack()
    case 'watch':
      unwatch = theFirewall().watch(() => void (calls += 1))
      return null
    case 'unwatch':
      return unwatch?.()
    case 'calls':
      return calls
    case 'logged':
      return logged
    case 'become':
      process.setuid?.(order.user)
      return null
    case 'listen':
      return listen(order.port)
    case 'connect':
      return open(order)
    case 'say':
      return say(outbound.get(order.as))
    case 'fate':
      return fatesFrom(order.from)
    case 'push':
      for (const { from, socket } of inbound) if (from === order.from) socket.write('pushed')
      return null
  }
}

const fatesFrom = (from: string): string[] =>
  inbound.filter((each) => each.from === from).map(({ fate }) => fate)

async function listen(port: number): Promise<null> {
  const server = createServer((socket) => {
    const from = (socket.remoteAddress ?? '').replace('::ffff:', '')
    const entry = { from, socket, fate: 'open' }
    inbound.push(entry)
    socket.on('data', (said) => void (String(said) === 'said' && socket.write('said back')))
    socket.on('error', (error: NodeJS.ErrnoException) => void (entry.fate = error.code ?? 'error'))
    socket.on('end', () => void (entry.fate = 'ended'))
  })
  servers.push(server)
  server.listen(port, '::')
  await once(server, 'listening')
  return null
}

async function open({ as, to, port }: { as: string; to: string; port: number }): Promise<string> {
  const socket = connect({ host: to, port })
  const answer = await Promise.race([
    once(socket, 'connect').then(() => 'open', codeOf),
    pause(silenceMs).then(() => 'silent'),
  ])
  if (answer === 'open') outbound.set(as, socket)
  else socket.destroy()
  // What comes later is told by `say`.
  socket.on('error', () => undefined)
  return answer
}

async function say(socket: Socket | undefined): Promise<string> {
  if (socket === undefined) return 'never opened'
  if (socket.errored) return codeOf(socket.errored)
  const answer = Promise.race([
    once(socket, 'data').then(() => 'heard', codeOf),
    pause(silenceMs).then(() => 'silent'),
  ])
  socket.write('said')
  return answer
}

const codeOf = (thrown: unknown): string =>
  thrown instanceof Error && 'code' in thrown ? String(thrown.code) : String(thrown)

async function answerTo(line: string): Promise<void> {
  const order: Order = JSON.parse(line)
  const said = await carryOut(order).then(
    (value) => ({ value: value ?? null }),
    (thrown: unknown) => ({ thrown: thrown instanceof Error ? thrown.message : String(thrown) }),
  )
  process.stdout.write(`${JSON.stringify(said)}\n`)
}

if (import.meta.main) {
  // In order: an answer belongs to the oldest question.
  let before = Promise.resolve()
  const lines = createInterface({ input: process.stdin })
  lines.on('line', (line) => void (before = before.then(() => answerTo(line))))
  lines.on('close', () => process.exit())
}
