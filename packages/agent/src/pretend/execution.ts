import type { ExecutionControl } from '../host/execution/types.ts'

/** Remembers what it was told, and changes nothing. */
export function pretendExecution(): ExecutionControl {
  let standing = false
  const watchers = new Set<() => void>()
  return {
    obstacle: () => Promise.resolve(null),
    prepare: () => undefined,
    apply: (isRestricted) => {
      standing = isRestricted
      for (const changed of watchers) changed()
      return Promise.resolve()
    },
    difference: (isRestricted) =>
      Promise.resolve(
        isRestricted === standing ? null : 'The pretended restriction is another than it should be.',
      ),
    watch: (changed) => {
      // Two that pass the same function are two.
      const watcher = (): void => changed()
      watchers.add(watcher)
      return () => void watchers.delete(watcher)
    },
  }
}
