/** What is still there after the power was cut: a file's content with its name, and the names of the folders above it. */
import { closeSync, fsyncSync, mkdirSync, openSync } from 'node:fs'
import { chmod, open, rename } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'

/** Replaces a file, for its owner only: whoever reads sees the old or the new, whole. Makes its folder. */
export async function keepFile(file: string, text: string): Promise<void> {
  makeFolder(dirname(file))
  const handle = await open(`${file}.tmp`, 'w', 0o600)
  try {
    await handle.writeFile(text)
    await handle.sync()
  } finally {
    await handle.close()
  }
  // One that an earlier try has left may have another mode.
  await chmod(`${file}.tmp`, 0o600)
  await rename(`${file}.tmp`, file)
  await syncNames(file, dirname(file))
}

/** Makes a folder, and those above it, for the owner only. One that exists is left as it is. */
export function makeFolder(path: string): void {
  const first = mkdirSync(path, { recursive: true, mode: 0o700 })
  if (first === undefined) return
  for (let made = resolve(path); ; made = dirname(made)) {
    const above = openSync(dirname(made), 'r')
    try {
      fsyncSync(above)
    } finally {
      closeSync(above)
    }
    if (made === resolve(first)) return
  }
}

/**
 * Puts a path's names on disk, from its own up to those in `top`: also where the folders between are an earlier one's, who may have
 * died before.
 */
export async function syncNames(path: string, top: string): Promise<void> {
  for (let folder = dirname(path); ; folder = dirname(folder)) {
    const handle = await open(folder, 'r')
    try {
      await handle.sync()
    } finally {
      await handle.close()
    }
    if (folder === join(top)) return
  }
}
