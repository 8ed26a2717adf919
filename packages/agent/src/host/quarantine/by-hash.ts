// What has a hash on this host: processes, files, and whose they are.
import { whosePackage } from './packages.ts'
import { openRunning, type KnownHashes } from './running.ts'
import { openSearch, type SearchOptions } from './search.ts'
import type { ByHash } from './types.ts'

/** `known`: hashes of executables that were looked at before. */
export const openByHash = (options: SearchOptions, known?: KnownHashes): ByHash => ({
  ...openRunning(known),
  files: openSearch(options),
  whosePackage: (paths) => whosePackage(paths),
})
