/**
 * A host that is isolated (`host`), everybody else (`world`, with the control server's addresses among its own), and a container
 * behind the host. All in namespaces without names, gone with this process however it ends.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { openNamespace, together, type Namespace } from '../faults/network-namespace.ts'
import type { Order } from './probe.ts'

export const at = {
  host: { v4: '192.0.2.2', v6: '2001:db8:0:1::2' },
  server: { v4: '192.0.2.1', v6: '2001:db8:0:1::1' },
  other: { v4: '192.0.2.3', v6: '2001:db8:0:1::3' },
  container: { v4: '198.51.100.2', v6: '2001:db8:0:2::2' },
} as const

export interface Probe {
  readonly pid: number
  ask(order: Order): Promise<unknown>
  /** Without asking. */
  kill(): Promise<void>
  close(): Promise<void>
}

export interface Place {
  readonly space: Namespace
  readonly probe: Probe
}

export interface Network {
  readonly host: Place
  readonly world: Place
  readonly container: Place
  close(): Promise<void>
}

export async function openNetwork(): Promise<Network> {
  const { keep, close } = together()
  try {
    const [host, world, container] = [
      await openNamespace(),
      await openNamespace(),
      await openNamespace(),
    ].map(keep)
    if (!host || !world || !container) throw new Error('no namespaces')
    wire({ host, world, container })
    const placed = (space: Namespace): Place => ({ space, probe: keep(openProbe(space)) })
    return { host: placed(host), world: placed(world), container: placed(container), close }
  } catch (thrown) {
    await close()
    throw thrown
  }
}

/** `nodad`: it can be used at once. */
function address(space: Namespace, cable: string, ...addresses: readonly string[]): void {
  for (const each of addresses)
    space.run(`ip address add ${each} dev ${cable}${each.includes(':') ? ' nodad' : ''}`)
  space.run(`ip link set ${cable} up`)
}

function wire({ host, world, container }: Readonly<Record<'host' | 'world' | 'container', Namespace>>): void {
  for (const space of [host, world, container]) space.run('ip link set lo up')
  host.run(`ip link add out type veth peer name cable netns ${world.pid}`)
  host.run(`ip link add in type veth peer name cable netns ${container.pid}`)
  address(host, 'out', `${at.host.v4}/24`, `${at.host.v6}/64`)
  address(host, 'in', '198.51.100.1/24', '2001:db8:0:2::1/64')
  for (const { v4, v6 } of [at.server, at.other]) address(world, 'cable', `${v4}/24`, `${v6}/64`)
  address(container, 'cable', `${at.container.v4}/24`, `${at.container.v6}/64`)
  for (const [space, v4, v6] of [
    [world, at.host.v4, at.host.v6],
    [container, '198.51.100.1', '2001:db8:0:2::1'],
  ] as const) {
    space.run(`ip route add ${space === world ? '198.51.100.0/24' : 'default'} via ${v4}`)
    space.run(`ip -6 route add ${space === world ? '2001:db8:0:2::/64' : 'default'} via ${v6}`)
  }
  for (const name of ['ipv4/ip_forward', 'ipv6/conf/all/forwarding'])
    host.run(`tee /proc/sys/net/${name}`, '1')
}

export function openProbe({ inside }: Namespace): Probe {
  const [file, ...args] = [...inside, process.execPath, join(import.meta.dirname, 'probe.ts')]
  const env = { PATH: process.env.PATH ?? '' }
  const child: ChildProcess = spawn(file, args, { env, stdio: ['pipe', 'pipe', 'inherit'] })
  let isGone = false
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()))
  const waiting: ((line: string | null) => void)[] = []
  if (child.stdout === null || child.pid === undefined) throw new Error('no probe')
  createInterface({ input: child.stdout }).on('line', (line) => waiting.shift()?.(line))
  child.once('close', () => {
    isGone = true
    for (const each of waiting.splice(0)) each(null)
  })
  return {
    pid: child.pid,
    ask: async (order) => {
      const line = await new Promise<string | null>((resolve) => {
        if (isGone) return resolve(null)
        waiting.push(resolve)
        child.stdin?.write(`${JSON.stringify(order)}\n`)
      })
      if (line === null) throw new Error(`the probe has ended before it answered ${order.do}`)
      const said: { readonly value?: unknown; readonly thrown?: string } = JSON.parse(line)
      if (said.thrown !== undefined) throw new Error(said.thrown)
      return said.value
    },
    kill: async () => {
      child.kill('SIGKILL')
      await gone
    },
    close: async () => {
      child.stdin?.end()
      await gone
    },
  }
}
