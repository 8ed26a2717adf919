import type { Firewall } from '../host/firewall/types.ts'

/** Remembers what it was told, and changes nothing. */
export function pretendFirewall(): Firewall {
  let standing = 'null'
  const watchers = new Set<() => void>()
  return {
    lack: () => Promise.resolve(null),
    apply: (barrier) => {
      standing = JSON.stringify(barrier)
      for (const changed of watchers) changed()
      return Promise.resolve()
    },
    difference: (barrier) =>
      Promise.resolve(
        JSON.stringify(barrier) === standing ? null : 'The pretended rules are others than they should be.',
      ),
    watch: (changed) => {
      // Two that pass the same function are two.
      const watcher = (): void => changed()
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
  }
}
