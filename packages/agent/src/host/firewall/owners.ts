import { findProgram, run } from '../programs.ts'

/** Users of this host, by name or number. */
export interface Owners {
  /** Asks the host; null where it knows no such user. */
  ask(name: string): Promise<number | null>
  /**
   * As it was last told: names of a directory cannot be looked up by a host that is isolated, and rules that come and go with its
   * answers would look as if somebody had changed them.
   */
  remembered(name: string): Promise<number | null>
}

/** The greatest stands for nobody at all. */
const greatest = 4_294_967_294

export function openOwners(log: (line: string) => void): Owners {
  const known = new Map<string, number | null>()
  const ask = async (name: string): Promise<number | null> => {
    const uid = await uidOf(name)
    const isNews = uid === null && known.get(name) !== null
    known.set(name, uid)
    if (isNews) log(`this host has no user ${name}: nothing passes for it while the host is isolated`)
    return uid
  }
  return { ask, remembered: async (name) => (known.has(name) ? (known.get(name) ?? null) : ask(name)) }
}

async function uidOf(name: string): Promise<number | null> {
  if (/^\d+$/.test(name)) return Number(name) <= greatest ? Number(name) : null
  const id = findProgram('id')
  if (id === null) return null
  const { isDone, output } = await run([id, '-u', '--', name])
  return isDone && /^\d+\n$/.test(output) ? Number(output) : null
}
