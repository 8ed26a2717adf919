// Chooses how this host keeps an action's processes together: by cgroup v2 where it can be used, else by looking for them.
import { existsSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { openCgroupScopes } from './scope/cgroup-scopes.ts'
import { sweepScopes } from './scope/sweep-scopes.ts'
import type { Scopes } from './types.ts'

/** How scopes are opened. */
export interface ScopeOptions {
  /** Tells the agents of one host apart; letters, digits, dots, dashes. The same on each start, or nothing is adopted. */
  readonly name: string
  /** An absolute folder of the agent's own where the scopes of sweep mode live. */
  readonly folder: string
  /** Takes a line that an operator should read. */
  readonly log: (line: string) => void
  /** For tests, and for hosts where cgroups are somebody else's business. Chosen by looking where it is left out. */
  readonly mechanism?: 'sweep'
}

/**
 * Tries out what this host can do and opens scopes accordingly. A scope that an earlier agent made by the other mechanism is
 * still served; one that was a cgroup, where there are none now, is swept and not called proven.
 */
export async function openScopes({ name, folder, log, mechanism }: ScopeOptions): Promise<Scopes> {
  if (!/^[A-Za-z0-9][A-Za-z0-9.-]*$/.test(name))
    throw new Error(`${JSON.stringify(name)} cannot be part of a path.`)
  if (!existsSync('/proc/self/stat'))
    throw new Error('Scripts are run and taken back on Linux only: there is no /proc here.')
  const own = resolve(folder)
  if (mechanism === 'sweep') return sweepScopes(own, 'by choice')
  const opened = await openCgroupScopes(name, log)
  if ('why' in opened) return sweepScopes(own, opened.why)

  const { scopes, mount } = opened
  const swept = sweepScopes(own, 'made before there were any')
  const by = (scope: string): Scopes =>
    dirname(scope) !== own && scope.startsWith(`${mount}/`) ? scopes : swept
  return {
    ...scopes,
    start: (scope, launch) => by(scope).start(scope, launch),
    ended: (scope, launchFolder, signal) => by(scope).ended(scope, launchFolder, signal),
    freeze: (scope) => by(scope).freeze(scope),
    ask: (scope, time) => by(scope).ask(scope, time),
    end: (scope, actionId, options) => by(scope).end(scope, actionId, options),
    isAlive: (scope) => by(scope).isAlive(scope),
  }
}
