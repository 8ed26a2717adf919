/** What is left of an identity that was given up: who this device was, since when it is nobody, and by which action. Its key is gone. */
import { link, readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf, shred, writeDurably } from '../host/files.ts'
import { readJson } from '../journal.ts'
import { killPoint } from '../kill-points.ts'

/** Stands in `identity.json` in place of the identity. */
export interface Tombstone {
  readonly machineId: string
  readonly server: string
  readonly offboarded: {
    /** ISO 8601, by this host's clock. */
    readonly at: string
    readonly action: string
    /** Thumbprint of the key that was destroyed: by it what it had signed is found. */
    readonly key: string
  }
}

const fileOf = (dataFolder: string): string => join(dataFolder, 'identity.json')
/** The former identity under a second name, until its bytes are overwritten. */
const asideName = 'former-identity.json'

/** Null where no identity was given up here, or another one was made since. */
export async function readTombstone(dataFolder: string): Promise<Tombstone | null> {
  const found = await readJson<Partial<Tombstone>>(fileOf(dataFolder))
  return found !== null && isTombstone(found) ? found : null
}

/** What an agent that was killed while it gave its identity up has left of the key. */
export const destroyLeftKey = (dataFolder: string): Promise<void> => destroy(dataFolder, isCopy)

export const isTombstone = (found: Partial<Tombstone>): found is Tombstone => found.offboarded !== undefined

/**
 * From one moment to the next the identity is a tombstone; then the key is overwritten where it lay, and removed, with every draft
 * and key that was being enrolled. What a disk keeps of overwritten blocks is out of reach.
 */
export async function giveUpIdentity(
  dataFolder: string,
  { machineId, server, offboarded }: Tombstone,
): Promise<void> {
  await link(fileOf(dataFolder), join(dataFolder, asideName)).catch(unlessThere)
  await writeDurably(fileOf(dataFolder), JSON.stringify({ machineId, server, offboarded }))
  killPoint('key-doomed')
  await destroy(dataFolder, (name) => isCopy(name) || name.startsWith('next-key.json'))
  killPoint('key-destroyed')
}

/** In plain words, for whoever starts the agent again. */
export const epitaph = ({ machineId, server, offboarded: { at, action } }: Tombstone): string =>
  `This host was device ${machineId} of ${server} and was offboarded at ${at} by action ${action}: it has no key any more. ` +
  `To bring it back under the same id, have a token made for that machine and start once with --enrol TOKEN.`

const isCopy = (name: string): boolean => name === asideName || name.startsWith('identity.json.tmp-')

async function destroy(dataFolder: string, isKey: (name: string) => boolean): Promise<void> {
  for (const name of (await readdir(dataFolder)).filter(isKey)) await shred(join(dataFolder, name))
}

function unlessThere(thrown: unknown): void {
  if (codeOf(thrown) !== 'EEXIST') throw thrown
}
