/** Says that somebody has lifted what stood, here on the spot; whoever runs the agent takes it in and removes it. One for each aspect. */
import { join } from 'node:path'
import type { Aspect } from '@countermand/contract'
import { removeFolder, writeDurably } from '../host/files.ts'
import { readJson } from '../journal.ts'

export interface Released {
  readonly nonce: string
  /** By the device's clock. */
  readonly at: string
}

export interface ReleasedFile {
  read(): Promise<Released | null>
  write(released: Released): Promise<void>
  remove(): Promise<void>
}

export const releasedFile = (dataFolder: string, aspect: Aspect): ReleasedFile => {
  const path = join(dataFolder, `released-${aspect}.json`)
  return {
    read: () => readJson<Released>(path),
    write: (released) => writeDurably(path, JSON.stringify(released)),
    remove: () => removeFolder(path),
  }
}
