import { commandsOf } from '@countermand/contract'
import { libraryShelf } from './library-files.ts'
import type { App } from '../ports.ts'
import type { Work } from '../rows.ts'
import { resultsShelf } from './result-files.ts'
import { tidyAction } from './tidy-files.ts'

/** Long enough for any upload or issue that has seen the file to have committed. */
const restMs = 60 * 60_000
/** No action lives this long once a result of it has come. */
const longestLifeMs = 14 * 24 * 60 * 60_000

/** Removes files that nothing refers to and nothing will. A timer calls it. */
export async function sweepFiles(app: App): Promise<void> {
  await sweepLibrary(app)
  await sweepTransfers(app)
}

/** Bytes that no entry of the library and no open action refers to. */
async function sweepLibrary(app: App): Promise<void> {
  const now = app.now().getTime()
  const old = (await app.files.list(libraryShelf)).filter(
    ({ changedAt }) => now - changedAt.getTime() > restMs,
  )
  if (old.length === 0) return
  const wanted = new Set(await app.store.read('wantedFiles', null))
  for (const { name } of old) if (!wanted.has(name)) await app.files.remove(libraryShelf, name)
}

/** What was left when an action ended and this server, or the other one that saw it end, did not come to tidy up. */
async function sweepTransfers(app: App): Promise<void> {
  const now = app.now().getTime()
  for (const id of await app.uploads.actions()) await tidyAction(app, id)
  const results = await app.files.list(resultsShelf)
  const young = results.filter(({ changedAt }) => now - changedAt.getTime() < longestLifeMs)
  for (const { name } of young) await tidyAction(app, name)
}

/** Hashes that an entry of the library or an open action refers to. */
export const wantedFiles: Work<null, readonly string[]> = async ({ library, actions }) => {
  const entries = (await library.list()).map(({ sha256 }) => sha256)
  const pinned = (await actions.open()).flatMap(({ parameters }) =>
    commandsOf(parameters).flatMap((command) => (command.type === 'GetFile' ? [] : [command.sha256])),
  )
  return [...entries, ...pinned]
}
