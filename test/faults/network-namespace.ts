/**
 * A network of a test's own: the server in one namespace, the device in another, a cable between them, and faults that the kernel
 * makes. Namespaces have no name and are gone with this process, however it ends; nothing of the host's own network is touched.
 */
import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { readlinkSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { until } from '../end-to-end/program.ts'

export type End = 'server' | 'device'

export interface Cable {
  /** A program that is started by this is at that end, and has no other network. */
  readonly at: Readonly<Record<End, readonly string[]>>
  /** Where the server is to listen. */
  readonly listen: string
  /** Where this process, which is at neither end, reaches it: undisturbed by any fault. */
  readonly url: string
  /** Takes an end down: who is there has no route any more, who is at the other hears nothing. */
  unplug(end: End): void
  /** What arrives at both ends, or at one, is lost where this matches (nftables); '' is everything. */
  lose(match: string, ends?: readonly End[]): void
  /** How many packets have been lost since the last `lose`. */
  lost(): number
  /** Runs a program at an end; `fed`: its standard input. Answers what it has printed. */
  run(end: End, command: string, fed?: string): string
  /** Each way. What comes faster waits, and is lost where the queue is full. */
  slow(bytesPerSecond: number): void
  /** Everything is as it was; connections that have survived go on. */
  mend(): void
  close(): Promise<void>
}

export interface Namespace {
  readonly pid: number
  readonly inside: readonly string[]
  /** `fed`: its standard input. Answers what it has printed. */
  run(command: string, fed?: string): string
  close(): Promise<void>
}

// Documentation's own addresses: whoever sees one of them outside knows that something has leaked.
const addresses = { server: '192.0.2.1', device: '192.0.2.2' } as const
const port = 8600
const ends = ['server', 'device'] as const

interface Closable {
  close(): Promise<void>
}

/** What is opened one after the other is closed the other way round, also when there is no more than half of it. */
export function together(): { keep: <T extends Closable>(made: T) => T; close: () => Promise<void> } {
  const opened: Closable[] = []
  return {
    keep: (made) => {
      opened.push(made)
      return made
    },
    close: async () => {
      for (const each of opened.toReversed()) await each.close()
    },
  }
}

export async function openCable(): Promise<Cable> {
  const { keep, close } = together()
  try {
    const here = { server: keep(await openNamespace()), device: keep(await openNamespace()) }
    here.server.run(`ip link add cable type veth peer name cable netns ${here.device.pid}`)
    for (const end of ends) {
      here[end].run(`ip address add ${addresses[end]}/30 dev cable`)
      here[end].run('ip link set lo up')
      here[end].run('ip link set cable up')
    }
    await until('the cable to carry', () => ends.every((end) => isCarrying(here[end])))
    const entrance = keep(await openEntrance(here.server))
    return {
      at: { server: here.server.inside, device: here.device.inside },
      listen: `${addresses.server}:${port}`,
      url: entrance.url,
      close,
      run: (end, command, fed) => here[end].run(command, fed),
      ...faultsOf(here),
    }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

/** The kernel looks at most once a second, and until it has what is sent is lost. */
const isCarrying = (there: Namespace): boolean => there.run('ip link show cable').includes('state UP')

function faultsOf(
  here: Readonly<Record<End, Namespace>>,
): Pick<Cable, 'unplug' | 'lose' | 'lost' | 'slow' | 'mend'> {
  const forget = 'add table netdev fault; delete table netdev fault'
  return {
    unplug: (end) => void here[end].run('ip link set cable down'),
    // Where they arrive: what is dropped before it leaves is known to who has sent it, and no loss.
    lose: (match, at = ends) => {
      for (const end of ends) here[end].run('nft -f -', forget)
      const hook = 'type filter hook ingress device cable priority 0'
      const table = `table netdev fault {\nchain arriving {\n${hook}\n${match} counter drop\n}\n}\n`
      for (const end of at) here[end].run('nft -f -', table)
    },
    lost: () => {
      const rules = ends.map((end) => here[end].run('nft list ruleset')).join('\n')
      const counts = [...rules.matchAll(/counter packets (\d+)/g)]
      return counts.reduce((sum, [, packets]) => sum + Number(packets), 0)
    },
    slow: (bytesPerSecond) => {
      const shape = `tbf rate ${bytesPerSecond * 8}bit burst 32kb latency 400ms`
      for (const end of ends) here[end].run(`tc qdisc replace dev cable root ${shape}`)
    },
    mend: () => {
      for (const end of ends) {
        here[end].run('nft -f -', forget)
        here[end].run('tc qdisc replace dev cable root noqueue')
        here[end].run('ip link set cable up')
      }
    },
  }
}

/** Lives as long as its holder, which ends with our end of the pipe, and as long as who was started inside. */
export async function openNamespace(): Promise<Namespace> {
  const holder = spawn('unshare', ['--net', 'cat'], { stdio: ['pipe', 'ignore', 'inherit'] })
  const gone = new Promise((resolve) => holder.once('close', resolve))
  const { pid } = holder
  if (pid === undefined) throw new Error('no namespace: unshare could not be started')
  // `ip netns exec` would put another /sys in place, without the control groups.
  const inside = ['nsenter', `--net=/proc/${pid}/ns/net`, '--']
  const own = readlinkSync('/proc/self/ns/net')
  await until('the namespace', () => readlinkSync(`/proc/${pid}/ns/net`) !== own)
  return {
    pid,
    inside,
    run: (command, fed = '') => {
      const [file = '', ...args] = [...inside, ...command.split(' ')]
      return execFileSync(file, args, { input: fed, encoding: 'utf8' })
    },
    close: async () => {
      holder.stdin.end()
      await gone
    },
  }
}

/** The socket that is listened on is ours, who takes what comes in by it is inside. Ends with this process. */
async function openEntrance({ inside }: Namespace): Promise<{ url: string; close(): Promise<void> }> {
  const door = createServer().listen(0, '127.0.0.1')
  await once(door, 'listening')
  const address = door.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const main = join(import.meta.dirname, 'entrance.ts')
  const [file = '', ...args] = inside
  const command = [...args, process.execPath, main, addresses.server, String(port)]
  const env = { PATH: process.env.PATH ?? '' }
  const keeper = spawn(file, command, { env, stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
  const gone = new Promise((resolve) => keeper.once('exit', resolve))
  await new Promise<void>((resolve, reject) => {
    keeper.once('error', reject)
    keeper.send('door', door, {}, (error) => (error === null ? resolve() : reject(error)))
  })
  // What is sent stays open there.
  door.close()
  return {
    url: `http://127.0.0.1:${address.port}`,
    close: async () => {
      if (keeper.connected) keeper.disconnect()
      await gone
    },
  }
}
