/** What an agent has started, so that it can be seen whether anything of it outlives the agent. */
import { readFileSync, readdirSync, readlinkSync } from 'node:fs'

/** A process, told from a later one of the same number by when it began. */
export interface Seen {
  readonly pid: number
  readonly parent: number
  readonly began: string
  readonly name: string
}

/** Null for one that is gone, or is only still listed. */
function look(pid: number): Seen | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'))
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    return fields[0] === 'Z' ? null : { pid, parent: Number(fields[1]), began: fields[19] ?? '', name }
  } catch {
    return null
  }
}

const everybody = (): readonly Seen[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => look(Number(name)) ?? [])

export function descendantsOf(pid: number): readonly Seen[] {
  const all = everybody()
  const found: Seen[] = []
  for (let parents = [pid]; parents.length > 0;) {
    const children = all.filter(({ parent }) => parents.includes(parent))
    found.push(...children)
    parents = children.map((child) => child.pid)
  }
  return found
}

export const isAlive = ({ pid, began }: Seen): boolean => look(pid)?.began === began

/** Who is in the network of this agent, and neither it nor of it, nor one of ours; but for what restricts, which outlives agents. */
export function strangersBeside(agent: number): readonly Seen[] {
  const net = networkOf(agent)
  const own = [agent, ...descendantsOf(agent).map(({ pid }) => pid)]
  return everybody().filter(
    ({ pid, parent, name }) =>
      parent !== process.pid && name !== 'fapolicyd' && !own.includes(pid) && networkOf(pid) === net,
  )
}

function networkOf(pid: number): string {
  try {
    return readlinkSync(`/proc/${pid}/ns/net`)
  } catch {
    return 'gone'
  }
}
