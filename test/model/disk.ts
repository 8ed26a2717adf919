/**
 * A disk that forgets: what was not synced may be gone after a power cut. Content is kept by the file's own sync, a name by the
 * sync of its folder; of what was not, any beginning of the changes of a folder may have reached the disk.
 */
import { basename, dirname } from 'node:path'
import type { Pick } from './turns.ts'

export class DiskError extends Error {
  readonly code: string

  constructor(code: string, path: string) {
    // Looking for what is not there is daily work; where it happened nobody asks.
    const { stackTraceLimit } = Error
    Error.stackTraceLimit = 0
    super(`${code}: ${path}`)
    Error.stackTraceLimit = stackTraceLimit
    this.code = code
  }
}

type Place = SimulatedFile | Folder

const empty = Buffer.alloc(0)

export class SimulatedFile {
  content: Buffer = empty
  private synced: Buffer = empty

  sync(): void {
    this.synced = this.content
  }

  cut(pick: Pick): void {
    if (this.synced !== this.content && pick(2) === 0) this.content = this.synced
    this.synced = this.content
  }
}

/** A change of names, whole or not at all: a rename is one. */
type Change = (names: Map<string, Place>) => void

export class Folder {
  names = new Map<string, Place>()
  private durable = new Map<string, Place>()
  private unsynced: Change[] = []

  change(change: Change): void {
    change(this.names)
    this.unsynced.push(change)
  }

  sync(): void {
    this.durable = new Map(this.names)
    this.unsynced = []
  }

  cut(pick: Pick): void {
    const kept = pick(this.unsynced.length + 1)
    for (const change of this.unsynced.slice(0, kept)) change(this.durable)
    this.names = new Map(this.durable)
    this.unsynced = []
    for (const place of this.names.values()) place.cut(pick)
  }
}

/** Absolute paths, one level of meaning: no links but hard ones, no rights. Every method is one system call. */
export class Disk {
  /** Untrue for a disk that only says that it has synced. */
  isSyncing = true
  /** So many writes will find no room. */
  full = 0
  private readonly root = new Folder()

  find(path: string): Place | null {
    let place: Place = this.root
    if (path === '/') return place
    for (const name of path.slice(1).split('/')) {
      const next: Place | undefined = place instanceof Folder ? place.names.get(name) : undefined
      if (next === undefined) return null
      place = next
    }
    return place
  }

  place(path: string): Place {
    const place = this.find(path)
    if (place === null) throw new DiskError('ENOENT', path)
    return place
  }

  folder(path: string): Folder {
    const place = this.place(path)
    if (!(place instanceof Folder)) throw new DiskError('ENOTDIR', path)
    return place
  }

  file(path: string): SimulatedFile {
    const place = this.place(path)
    if (!(place instanceof SimulatedFile)) throw new DiskError('EISDIR', path)
    return place
  }

  create(path: string): SimulatedFile {
    const made = new SimulatedFile()
    this.name(path, made)
    return made
  }

  makeFolder(path: string): void {
    this.name(path, new Folder())
  }

  link(from: string, to: string): void {
    this.name(to, this.file(from))
  }

  rename(from: string, to: string): void {
    const place = this.place(from)
    if (dirname(from) !== dirname(to)) throw new DiskError('EXDEV', to)
    // Two names of one file: POSIX has it do nothing, and say that it went well.
    if (this.folder(dirname(to)).names.get(basename(to)) === place) return
    this.folder(dirname(from)).change((names) => {
      names.delete(basename(from))
      names.set(basename(to), place)
    })
  }

  remove(path: string): void {
    const place = this.place(path)
    if (place instanceof Folder && place.names.size > 0) throw new DiskError('ENOTEMPTY', path)
    this.folder(dirname(path)).change((names) => void names.delete(basename(path)))
  }

  sync(place: Place): void {
    if (this.isSyncing) place.sync()
  }

  /** @throws DiskError where there is no room. */
  needRoom(path: string): void {
    if (this.full === 0) return
    this.full -= 1
    throw new DiskError('ENOSPC', path)
  }

  /** The power is cut: what is left is chosen among what a disk may leave. */
  cut(pick: Pick): void {
    this.root.cut(pick)
  }

  /** Makes a file that is on disk already, with its folders. */
  put(path: string, content: string): void {
    const above = dirname(path)
    if (this.find(above) === null) this.putFolder(above)
    const file = this.find(path)
    const made = file instanceof SimulatedFile ? file : this.create(path)
    made.content = Buffer.from(content)
    made.sync()
    this.folder(above).sync()
  }

  private putFolder(path: string): void {
    if (this.find(dirname(path)) === null) this.putFolder(dirname(path))
    this.makeFolder(path)
    this.folder(dirname(path)).sync()
  }

  private name(path: string, place: Place): void {
    if (this.find(path) !== null) throw new DiskError('EEXIST', path)
    this.folder(dirname(path)).change((names) => void names.set(basename(path), place))
  }
}
