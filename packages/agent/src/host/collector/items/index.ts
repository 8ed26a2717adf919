import type { Item } from '../item.ts'
import { fileItems } from './files.ts'
import { networkItems } from './network.ts'
import { peopleItems } from './people.ts'
import { processItems } from './processes.ts'
import { startupItems } from './startup.ts'
import { systemItems } from './system.ts'

/** All of a package, in the order in which it is gathered: what fades first comes first. */
export const packageItems: readonly Item[] = [
  ...processItems,
  ...networkItems,
  ...peopleItems,
  ...startupItems,
  ...systemItems,
  ...fileItems,
]
