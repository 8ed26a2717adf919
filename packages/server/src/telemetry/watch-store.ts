import type { Store } from '../app/ports.ts'

/** Work asked for and not answered yet: it waits, or is under way. */
export interface Depth {
  read: number
  write: number
}

/** The same for every database, because it is counted where it is asked. */
export function watchStore(store: Store, depth: Depth): Store {
  const counted = async <T>(lane: keyof Depth, asked: Promise<T>): Promise<T> => {
    depth[lane] += 1
    try {
      return await asked
    } finally {
      depth[lane] -= 1
    }
  }
  return {
    isShared: store.isShared,
    read: (name, input) => counted('read', store.read(name, input)),
    write: (name, input) => counted('write', store.write(name, input)),
    close: () => store.close(),
  }
}
