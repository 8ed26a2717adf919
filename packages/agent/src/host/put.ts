/**
 * Files that actions put on this host, in one folder: taken back by moving what was there before into its place again. Only
 * renames, so that whoever looks sees the old file, or the new one, or none.
 */
import { lstat, rename, unlink } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { makeFolder, syncFolder, unlessGone } from './files.ts'

/** All that is needed to take a file back, known before it is put. */
export interface Put {
  readonly place: string
  /** Which file it is: device and number of its inode. */
  readonly inode: string
  /** Where what was there before is kept; null where there was nothing. */
  readonly kept: string | null
}

export interface Puts {
  /** Where files are put. */
  readonly folder: string
  /**
   * What it will take to put `from` under `name`, and to keep at `keptAt` what is there now. Moves nothing. Throws in plain words
   * for a place that holds no plain file.
   */
  plan(from: string, name: string, keptAt: string): Promise<Put>
  /** Puts it; on disk when this resolves. */
  put(from: string, put: Put): Promise<void>
  /** Takes it back, and what was there before is there again. Safe twice, and where it was never put. Returns what remains. */
  takeBack(put: Put): Promise<readonly string[]>
}

/** `folder` and the folders of actions are on one file system. */
export function openPuts(folder: string): Puts {
  return {
    folder,
    plan: async (from, name, keptAt) => {
      const place = join(folder, basename(name))
      await makeFolder(folder)
      const there = await find(place)
      if (there !== null && !there.isFile)
        throw new Error(`${place} is not a plain file and is not replaced.`)
      const inode = (await find(from))?.inode
      if (inode === undefined) throw new Error(`${from} has gone.`)
      return { place, inode, kept: there === null ? null : keptAt }
    },
    put: async (from, { place, kept }) => {
      if (kept !== null) {
        await rename(place, kept)
        // Before the new one takes its place: a power cut must not find neither.
        await syncFolder(dirname(kept))
      }
      await rename(from, place)
      await syncFolder(dirname(place))
      await syncFolder(dirname(from))
    },
    takeBack,
  }
}

async function takeBack({ place, inode, kept }: Put): Promise<readonly string[]> {
  const there = await find(place)
  const former = kept === null ? null : await find(kept)
  const isOurs = there?.inode === inode
  if (former !== null && kept !== null) {
    const isFree = there === null || isOurs
    const back = isFree ? place : `${place}.former`
    await rename(kept, back)
    await syncFolder(dirname(place))
    return isFree ? [] : [`${place} was replaced meanwhile and stays; what was there before is now ${back}`]
  }
  if (isOurs) {
    await unlink(place)
    await syncFolder(dirname(place))
  }
  return []
}

interface There {
  readonly inode: string
  readonly isFile: boolean
}

async function find(path: string): Promise<There | null> {
  const found = await lstat(path, { bigint: true }).catch(unlessGone)
  return found && { inode: `${found.dev}:${found.ino}`, isFile: found.isFile() }
}
