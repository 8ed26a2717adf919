// What the rest of the agent may ask about files known by their hash, and about those taken away. Data and obligations only.

/** A name on this host as its bytes: it need not be text. */
export type Name = Uint8Array

/** A plain file that was found by its hash. */
export interface FoundFile {
  readonly path: Name
  /** Device and number of its inode. */
  readonly inode: string
  /** In bytes. */
  readonly size: number
}

/** A process whose executable has the hash. Pid and start time together name one process. */
export interface RunningFrom {
  readonly pid: number
  /** In clock ticks since boot. */
  readonly startedAt: number
  /** The command line, shortened. */
  readonly command: string
  /** Where its executable is now; null where that has been removed, or cannot be seen from here. */
  readonly path: Name | null
  /** What the system calls its executable, for people. */
  readonly shown: string
  readonly size: number
  /** It was stopped before anybody here touched it, and is not to be let go on. */
  readonly wasStopped: boolean
}

/** One process as it is written down. */
export type Mark = Pick<RunningFrom, 'pid' | 'startedAt' | 'wasStopped'>

/** Where packages put programs; where malware starts from; every file system of this host's own disks. */
export type Where = 'programs' | 'quick' | 'full'

export interface Search {
  readonly sha1: string
  /** Of the one file that is looked for, where it is known: others are not read. */
  readonly size: number | null
  readonly signal: AbortSignal
  /** What looks no further then, in milliseconds from now. */
  readonly withinMs: number
  /** A share from 0 to 1 where it is known, and where it is. */
  look(share: number | null, line: string): void
}

/** What a search has looked at. */
export interface Searched {
  readonly found: readonly FoundFile[]
  /** How many files were looked at. */
  readonly files: number
  /** False where the time was over first. */
  readonly isThrough: boolean
}

/** What has a SHA-1, running or lying about. Hashes are in small letters. */
export interface ByHash {
  /** In plain words why what has this hash is never stopped, or null: this very agent, what started it, the first process. */
  whyNever(sha1: string): Promise<string | null>
  /** Everything that runs from it, deleted executables too. */
  running(sha1: string, signal: AbortSignal): Promise<readonly RunningFrom[]>
  /**
   * Stops a process, and looks again what it executes. False where it has ended, or executes something else by now: then it goes on
   * as before.
   */
  freeze(process: RunningFrom, sha1: string): Promise<boolean>
  /** Lets go on what is stopped, if it is still the same process, unless it was stopped before. */
  thaw(mark: Mark): void
  /** Kills what is stopped, and waits until it is gone. @throws Error in plain words where it is not after 30 s */
  kill(mark: Mark): Promise<void>
  /** Is it still the same process, and alive? */
  isAlive(mark: Mark): boolean
  /** Plain files with that hash. */
  files(where: Where, search: Search): Promise<Searched>
  /** Of these paths the first that belongs to an installed package, in plain words; null where none does. */
  whosePackage(paths: readonly Name[]): Promise<string | null>
}

/** A file that lies in quarantine, or is on its way there. */
export interface Item {
  /** 12 hexadecimal digits. */
  readonly id: string
  /** The action that took it. */
  readonly action: string
  readonly sha1: string
  readonly size: number
  /** Its names, each a path. */
  readonly names: readonly Name[]
  /** `taking`: not whole yet; an agent works on it, or died over it. */
  readonly state: 'taking' | 'kept'
  /** ISO 8601. */
  readonly takenAt: string
  /** Its extended attributes could not be kept. */
  readonly isBare: boolean
}

/**
 * Files that were taken away, in a folder of root's alone. What is done to a file is on disk before it is done, so that whoever comes
 * later can end it: a file is in its place, or whole in here.
 */
export interface Quarantine {
  readonly folder: string
  /** What lies here, of one action or of all, the oldest first. */
  list(action?: string): Promise<readonly Item[]>
  /**
   * Takes a file away, with its owner, mode, times and extended attributes. Null where it has gone meanwhile, or is another one: that stays,
   * or is there again. On disk when this resolves. @throws Error in plain words, with the file in its place
   */
  take(path: Name, about: { readonly action: string; readonly sha1: string }): Promise<Item | null>
  /** Puts a file back, unless its place is taken. Safe twice, and for one that is not here. Returns what remains, in words. */
  putBack(id: string): Promise<readonly string[]>
  /** After an agent died: what it had half taken is in its place again. Returns what remains, in words. */
  mend(action: string): Promise<readonly string[]>
}

/** Moments of taking and putting back at which an agent may die. */
export type Moment =
  'quarantine-promised' | 'quarantine-copied' | 'quarantine-aside' | 'quarantine-kept' | 'quarantine-back'
