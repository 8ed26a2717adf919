/** What is pretended to have been found and taken away. */
import type { ByHash, Item, Quarantine } from '../host/quarantine/types.ts'

const path = Buffer.from('/pretended/file')
const size = 17

export const pretendByHash: ByHash = {
  whyNever: () => Promise.resolve(null),
  running: () => Promise.resolve([]),
  freeze: () => Promise.resolve(false),
  thaw: () => undefined,
  kill: () => Promise.resolve(),
  isAlive: () => false,
  files: (where, search) => {
    search.look(1, path.toString())
    const found = where === 'full' ? [{ path, inode: '0:0', size }] : []
    return Promise.resolve({ found, files: 1, isThrough: true })
  },
  whosePackage: () => Promise.resolve(null),
}

/** For as long as the agent lives. */
export function pretendQuarantine(folder: string): Quarantine {
  const items = new Map<string, Item>()
  return {
    folder,
    list: (action) =>
      Promise.resolve([...items.values()].filter((item) => action === undefined || item.action === action)),
    take: (name, { action, sha1 }) => {
      const id = action.replaceAll('-', '').slice(-12)
      const about = { id, action, sha1, size, names: [name], takenAt: new Date().toISOString() }
      const item: Item = { ...about, state: 'kept', isBare: false }
      items.set(id, item)
      return Promise.resolve(item)
    },
    putBack: (id) => {
      items.delete(id)
      return Promise.resolve([])
    },
    mend: () => Promise.resolve([]),
  }
}
