/** `node:fs/promises` over the simulated disk, as far as an agent uses it: each call waits for its turn. */
import { dirname, join } from 'node:path'
import { DiskError, Folder, SimulatedFile, type Disk } from './disk.ts'
import type { Turns } from './turns.ts'

/** An open file or folder: it stays the same one, whatever becomes of its name. */
class Handle {
  private readonly turns: Turns
  private readonly disk: Disk
  private readonly place: SimulatedFile | Folder
  private readonly label: string
  private position = 0

  constructor(at: { turns: Turns; disk: Disk }, place: SimulatedFile | Folder, label: string) {
    this.turns = at.turns
    this.disk = at.disk
    this.place = place
    this.label = label
  }

  writeFile(content: string | Uint8Array): Promise<void> {
    return this.turns.take(`write ${this.label}`, () => {
      this.disk.needRoom(this.label)
      this.file().content = Buffer.from(content)
    })
  }

  write(
    chunk: Uint8Array,
    from: number,
    length: number,
    at: number,
  ): Promise<{ readonly bytesWritten: number }> {
    return this.turns.take(`write ${this.label}`, () => {
      this.disk.needRoom(this.label)
      const file = this.file()
      file.content = Buffer.concat([file.content.subarray(0, at), chunk.subarray(from, from + length)])
      return { bytesWritten: length }
    })
  }

  sync(): Promise<void> {
    return this.turns.take(`sync ${this.label}`, () => this.disk.sync(this.place))
  }

  stat(): Promise<{ readonly size: number }> {
    return this.turns.take(`stat ${this.label}`, () => ({ size: this.file().content.length }))
  }

  truncate(size: number): Promise<void> {
    return this.turns.take(`truncate ${this.label}`, () => {
      this.file().content = this.file().content.subarray(0, size)
    })
  }

  read(buffer: Buffer, offset: number, length: number): Promise<{ readonly bytesRead: number }> {
    return this.turns.take(`read ${this.label}`, () => {
      const bytesRead = this.file().content.copy(buffer, offset, this.position, this.position + length)
      this.position += bytesRead
      return { bytesRead }
    })
  }

  close(): Promise<void> {
    return Promise.resolve()
  }

  private file(): SimulatedFile {
    if (this.place instanceof SimulatedFile) return this.place
    throw new DiskError('EISDIR', this.label)
  }
}

export interface DiskCalls {
  open(path: string, flags: string): Promise<Handle>
  readFile(path: string, encoding?: 'utf8'): Promise<string | Buffer>
  readdir(path: string): Promise<string[]>
  mkdir(path: string, options?: { recursive?: boolean }): Promise<string | undefined>
  link(from: string, to: string): Promise<void>
  rename(from: string, to: string): Promise<void>
  unlink(path: string): Promise<void>
  rm(path: string, options?: { recursive?: boolean; force?: boolean }): Promise<void>
}

export function diskCalls(disk: Disk, turns: Turns): DiskCalls {
  const call = <T>(what: string, path: string, act: () => T): Promise<T> => turns.take(`${what} ${path}`, act)
  const mkdir: DiskCalls['mkdir'] = async (path, options) => {
    if (disk.find(path) !== null) {
      if (options?.recursive) return undefined
      throw new DiskError('EEXIST', path)
    }
    const above = options?.recursive ? await mkdir(dirname(path), options) : undefined
    await call('mkdir', path, () => {
      if (disk.find(path) !== null) return
      disk.needRoom(path)
      disk.makeFolder(path)
    })
    return above ?? path
  }
  const rm: DiskCalls['rm'] = async (path, options) => {
    const place = disk.find(path)
    if (place === null && options?.force) return
    // The runtime sends them all off together, so that they may be done in any order.
    if (place instanceof Folder && options?.recursive)
      await Promise.all([...place.names.keys()].map((name) => rm(join(path, name), options)))
    await call('remove', path, () => {
      if (disk.find(path) !== null || !options?.force) disk.remove(path)
    })
  }
  return {
    open: (path, flags) =>
      call(`open ${flags}`, path, () => {
        const isNew = flags === 'wx' || (flags === 'w' && disk.find(path) === null)
        if (isNew) disk.needRoom(path)
        const place = isNew ? disk.create(path) : disk.place(path)
        if (flags === 'w' && place instanceof SimulatedFile) place.content = Buffer.alloc(0)
        return new Handle({ disk, turns }, place, path)
      }),
    readFile: (path, encoding) =>
      call('read', path, () => {
        const { content } = disk.file(path)
        return encoding === undefined ? content : content.toString(encoding)
      }),
    readdir: (path) => call('list', path, () => [...disk.folder(path).names.keys()].toSorted()),
    mkdir,
    rm,
    link: (from, to) => call('link', to, () => disk.link(from, to)),
    rename: (from, to) => call('rename', to, () => disk.rename(from, to)),
    unlink: (path) => call('unlink', path, () => disk.remove(path)),
  }
}
