/**
 * What this device holds, in files: one folder per action. A step is on disk, file and folder, before it is taken; so whoever
 * starts next knows what may have happened. Start and cancel compete for one file that only one of them can make.
 */
import { existsSync } from 'node:fs'
import { readFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { actions, type CommandOutcome, type News, type Offer } from '@countermand/contract'
import { createExclusively, makeFolder, removeFolder, syncFolder, writeDurably } from './host/files.ts'
import { killPoint } from './kill-points.ts'
import { Damaged } from './trouble.ts'

/** Written by whoever comes first. */
export type Verdict =
  | {
      readonly verdict: 'start'
      /** Empty where that was lost. */
      readonly scope: string
      readonly bootId: string
      readonly bootSeconds: number
      readonly at: string
    }
  | { readonly verdict: 'withdrawn'; readonly at: string }

/** Where the steps of an action stand, once there is more to say than that the first has begun. */
export interface Stand {
  readonly steps: readonly CommandOutcome[]
  /** When the last step that was begun was begun, by the clock that counts suspend. */
  readonly bootId: string
  readonly bootSeconds: number
}

export interface Record {
  readonly offer: Offer
  readonly folder: string
  readonly verdict: Verdict | null
  /** Null while the first step is all that was begun. */
  readonly stand: Stand | null
  /** When the cancel was taken. */
  readonly cancelledAt: string | null
  /** When an offboarding passed the point from which there is no way back, and which key of this device it gives up. */
  readonly committed: Committed | null
  /** How long its processes are given between being asked to end and being killed. */
  readonly graceMs: number
  /** They have been asked: an end from here on is the cancel's doing. */
  readonly isAsked: boolean
  /** How it ended, as it is told. */
  readonly outcome: News | null
}

export interface Committed {
  readonly at: string
  /** Thumbprint. */
  readonly key: string
}

/** Longer than the oldest backup that a server may be restored from: until then a finished action is still known. */
const rememberMs = 30 * 24 * 60 * 60_000

export interface Journal {
  all(): Promise<readonly Record[]>
  find(id: string): Promise<Record | null>
  /** False where it is held already. */
  accept(offer: Offer): Promise<boolean>
  /** True for the one who made the file; what it says is on disk either way. */
  decide(id: string, verdict: Verdict): Promise<boolean>
  /** False where the action had passed its commit point before. */
  takeCancel(id: string, taken: { readonly at: string; readonly graceMs: number }): Promise<boolean>
  /** Makes the file that a cancel would make: false where one was there before. */
  commit(id: string, committed: Committed): Promise<boolean>
  /** What runs is about to be asked to end. On disk first: an end after it is the cancel's doing. */
  ask(id: string, at: string): Promise<void>
  /** A step is over, or is about to begin. */
  stand(id: string, stand: Stand): Promise<void>
  /** What a step that is about to act will have to take back. */
  promise(id: string, index: number, what: object): Promise<void>
  promised<Promised extends object>(id: string, index: number): Promise<Promised | null>
  conclude(id: string, outcome: News): Promise<void>
  /** Forgets an action but for a line that says how it ended. */
  drop(id: string): Promise<void>
  /** How an action ended that is no longer held. */
  remembered(id: string): Promise<News | null>
  /** What is remembered, and listed to a server that may have forgotten it: until that says that it is final. */
  relisted(): Promise<readonly string[]>
  /** To a server that was restored everything is listed again, finished actions included. Returns how each ended. */
  relist(): Promise<readonly News[]>
  settle(id: string): Promise<void>
}

export async function openJournal(dataFolder: string): Promise<Journal> {
  const held = join(dataFolder, 'journal')
  const memory = join(dataFolder, 'remembered')
  await makeFolder(held)
  await makeFolder(memory)
  for (const folder of [held, memory]) await syncFolder(folder)
  await clearMemory(memory)
  const again = join(dataFolder, 'relisted.json')
  const relisted = async (): Promise<readonly string[]> => (await readJson<string[]>(again)) ?? []
  for (const name of await readdir(held)) await mend(join(held, name))
  const folderOf = (id: string): string => join(held, safe(id))
  const lineOf = (id: string): string => join(memory, `${safe(id)}.json`)
  const find = (id: string): Promise<Record | null> => readRecord(folderOf(id))
  const remembered = async (id: string): Promise<News | null> =>
    (await readJson<{ outcome: News }>(lineOf(id)))?.outcome ?? null
  return {
    find,
    remembered,
    all: async () => {
      const records = await Promise.all((await readdir(held)).map(find))
      return records
        .filter((record) => record !== null)
        .toSorted((a, b) => (a.offer.id < b.offer.id ? -1 : 1))
    },
    ...stepsIn(folderOf),
    drop: async (id) => {
      const record = await find(id)
      if (record?.outcome != null)
        await writeDurably(lineOf(id), JSON.stringify({ at: Date.now(), outcome: record.outcome }))
      await forget(folderOf(id))
    },
    relisted,
    relist: async () => {
      const ids = (await linesIn(memory)).map((name) => name.replace(/\.json$/, ''))
      await writeDurably(again, JSON.stringify(ids))
      return (await Promise.all(ids.map(remembered))).filter((line) => line !== null)
    },
    settle: async (id) => {
      const ids = await relisted()
      if (ids.includes(id)) await writeDurably(again, JSON.stringify(ids.filter((other) => other !== id)))
    },
  }
}

/** Each a file of its own in the action's folder. */
const stepsIn = (
  folderOf: (id: string) => string,
): Pick<
  Journal,
  'accept' | 'decide' | 'takeCancel' | 'commit' | 'ask' | 'stand' | 'promise' | 'promised' | 'conclude'
> => ({
  accept: async (offer) => {
    await makeFolder(folderOf(offer.id))
    return createExclusively(join(folderOf(offer.id), 'offer.json'), JSON.stringify(offer))
  },
  decide: (id, verdict) => createExclusively(join(folderOf(id), 'verdict.json'), JSON.stringify(verdict)),
  takeCancel: (id, taken) => createExclusively(join(folderOf(id), 'cancel.json'), JSON.stringify(taken)),
  commit: (id, committed) =>
    createExclusively(join(folderOf(id), 'cancel.json'), JSON.stringify({ committed })),
  ask: async (id, at) => {
    await createExclusively(join(folderOf(id), 'asked.json'), JSON.stringify({ at }))
  },
  stand: (id, stand) => writeDurably(join(folderOf(id), 'stand.json'), JSON.stringify(stand)),
  promise: (id, index, what) => writeDurably(promiseIn(folderOf(id), index), JSON.stringify(what)),
  promised: (id, index) => readJson(promiseIn(folderOf(id), index)),
  conclude: (id, outcome) => writeDurably(join(folderOf(id), 'outcome.json'), JSON.stringify(outcome)),
})

/** A folder without an offer is nothing; so a crash in the middle of this leaves nothing that looks half done. */
async function forget(folder: string): Promise<void> {
  if (!existsSync(folder)) return
  await rm(join(folder, 'offer.json'), { force: true })
  await syncFolder(folder)
  killPoint('dropped-half-way')
  await removeFolder(folder)
}

const promiseIn = (folder: string, index: number): string => join(folder, `promise-${index}.json`)

/** An id becomes a folder's name, so it must be nothing else. */
function safe(id: string): string {
  if (!/^[0-9a-f-]{36}$/.test(id)) throw new Error(`not an action id: ${id}`)
  return id
}

/**
 * A disk can lose a verdict that it had called written. Only what was started writes output, or promises: so it has begun, and is neither to be
 * begun again nor to be called refused. Where it runs, and when and in which boot it began, is not known any more.
 */
async function mend(folder: string): Promise<void> {
  const isThere = (name: string): boolean => existsSync(join(folder, name))
  // Half accepted, or half forgotten: nothing, and nobody would look at it again.
  if (!isThere('offer.json')) return removeFolder(folder)
  await syncFolder(folder)
  const hasBegun = ['run/0/stdout', 'stand.json', 'promise-0.json'].some(isThere)
  if (isThere('verdict.json') || !hasBegun) return
  const unknown = { scope: '', bootId: 'lost', bootSeconds: 0 }
  const verdict: Verdict = { verdict: 'start', ...unknown, at: new Date().toISOString() }
  await createExclusively(join(folder, 'verdict.json'), JSON.stringify(verdict))
}

/** It has ended by itself, and what it did can be taken back. */
export const isUndoable = ({ offer, outcome }: Record): boolean =>
  outcome?.kind === 'finished' && actions[offer.type].reversible

/** The cancel has come when it had ended by itself: it waits for what it did to be taken back. */
export const isToBeUndone = (record: Record): boolean => record.cancelledAt !== null && isUndoable(record)

/** A folder without an offer was never accepted: a crash came first, and the server will offer again. */
async function readRecord(folder: string): Promise<Record | null> {
  const offer = await readJson<Offer>(join(folder, 'offer.json'), folder)
  if (offer === null) return null
  const [verdict, stand, cancel, asked, outcome] = await Promise.all([
    readJson<Verdict>(join(folder, 'verdict.json'), folder),
    readJson<Stand>(join(folder, 'stand.json'), folder),
    readJson<{ at?: string; graceMs?: number; committed?: Committed }>(join(folder, 'cancel.json'), folder),
    readJson<{ at: string }>(join(folder, 'asked.json'), folder),
    readJson<News>(join(folder, 'outcome.json'), folder),
  ])
  const cancelled = {
    cancelledAt: cancel?.at ?? null,
    committed: cancel?.committed ?? null,
    graceMs: cancel?.graceMs ?? 0,
    isAsked: asked !== null,
  }
  return { offer, folder, verdict, stand, ...cancelled, outcome }
}

/**
 * Null where there is no such file. Files appear whole, so one that does not parse is damage, and is not passed over.
 * @throws Damaged, saying what is to be removed.
 */
export async function readJson<T>(file: string, remove = file): Promise<T | null> {
  let text: string
  try {
    text = await readFile(file, 'utf8')
  } catch (thrown) {
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT') return null
    throw thrown
  }
  try {
    const value: T = JSON.parse(text)
    return value
  } catch {
    throw new Damaged(file, remove)
  }
}

/** Files appear whole under their names; a draft that a crash has left has another one. */
const linesIn = async (folder: string): Promise<readonly string[]> =>
  (await readdir(folder)).filter((name) => name.endsWith('.json'))

async function clearMemory(folder: string): Promise<void> {
  const lines = await linesIn(folder)
  for (const name of await readdir(folder)) if (!lines.includes(name)) await removeFolder(join(folder, name))
  for (const name of lines) {
    const line = await readJson<{ at: number }>(join(folder, name))
    if (line !== null && Date.now() - line.at > rememberMs) await removeFolder(join(folder, name))
  }
}
