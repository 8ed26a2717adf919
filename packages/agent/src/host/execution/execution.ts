/** Execution control by fapolicyd, run by the agent on a configuration of its own. */
import type { ExecutionControl } from './types.ts'

/**
 * `name` tells agents of one host apart; `folder` is for this alone, and made when it is needed. `fileSystems`: types of those that
 * are restricted, all of this host's own by default.
 */
export function openExecution(_options: {
  readonly name: string
  readonly folder: string
  readonly log: (line: string) => void
  readonly fileSystems?: readonly string[] | null
}): ExecutionControl {
  return {
    obstacle: () => Promise.resolve({ why: 'missing_tool', detail: 'not built yet' }),
    prepare: () => undefined,
    apply: (isRestricted) => (isRestricted ? Promise.reject(new Error('not built yet')) : Promise.resolve()),
    difference: (isRestricted) => Promise.resolve(isRestricted ? 'not built yet' : null),
    watch: () => () => undefined,
  }
}
