import { commandsOf } from '@countermand/contract'
import { libraryShelf } from './library-files.ts'
import type { App, Work } from './ports.ts'

/** Long enough for any upload or issue that has seen the file to have committed. */
const restMs = 60 * 60_000

/** Removes library bytes that no entry and no open action refers to. A timer calls it. */
export async function sweepFiles(app: App): Promise<void> {
  const now = app.now().getTime()
  const old = (await app.files.list(libraryShelf)).filter(
    ({ changedAt }) => now - changedAt.getTime() > restMs,
  )
  if (old.length === 0) return
  const wanted = new Set(await app.store.read('wantedFiles', null))
  for (const { sha256 } of old) if (!wanted.has(sha256)) await app.files.remove(libraryShelf, sha256)
}

/** Hashes that an entry of the library or an open action refers to. */
export const wantedFiles: Work<null, readonly string[]> = async ({ library, actions }) => {
  const entries = (await library.list()).map(({ sha256 }) => sha256)
  const pinned = (await actions.open()).flatMap(({ parameters }) =>
    commandsOf(parameters).map(({ sha256 }) => sha256),
  )
  return [...entries, ...pinned]
}
