// What has a hash on this host: processes, files, and whose they are.
import { whosePackage } from './packages.ts'
import { openRunning } from './running.ts'
import { openSearch, type SearchOptions } from './search.ts'
import type { ByHash } from './types.ts'

export const openByHash = (options: SearchOptions): ByHash => ({
  ...openRunning(),
  files: openSearch(options),
  whosePackage: (paths) => whosePackage(paths),
})
