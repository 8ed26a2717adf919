// Scopes as cgroups: what is inside cannot leave without root, and the kernel says when nothing is.
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { access, constants, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Unkillable, type Ended, type Found, type Scopes } from '../types.ts'
import { insideScope, refuseUnlessId, refuseUnlessOf } from './action-id.ts'
import {
  freezeGroup,
  isMounted,
  isPopulated,
  killGroup,
  membersOf,
  placesIn,
  removeGroup,
  thawGroup,
  type Place,
} from './cgroup.ts'
import { everybodyLeft, keyOf, killAll, mostListed, openHunt, stopAll } from './hunt.ts'
import { exitStatus, launchInside } from './launch.ts'
import { describe, signalPid } from './processes.ts'
import { answerWhenever, isTrueWithin } from './waiting.ts'

const longestFreezeMs = 1000
const defaultPatienceMs = 30_000

/** The scopes of this host, and the mount that their paths begin with; or why there can be none. */
export type Opened = { readonly scopes: Scopes; readonly mount: string } | { readonly why: string }

/** Looks for a usable cgroup v2 and tries it out. `name` tells agents of one host apart. */
export async function openCgroupScopes(name: string, log: (line: string) => void): Promise<Opened> {
  if (process.getuid?.() !== 0) return { why: 'the agent does not run as root' }
  const [place] = placesIn(
    await readFile('/proc/self/mountinfo', 'utf8'),
    await readFile('/proc/self/cgroup', 'utf8'),
  )
  if (!place) return { why: 'no writable cgroup v2 is mounted' }
  const base = await leaveScope(place, log)
  const parent = join(base, `countermand-${name}`)
  const trouble = await tryOut(parent).catch((error: unknown) => String(error))
  if (trouble !== null) return { why: trouble }
  return { mount: place.mount, scopes: cgroupScopes(parent, place.mount) }
}

/**
 * An agent that was started by a script (an upgrade, say) finds itself in that script's scope. It must neither nest its own
 * scopes there nor stay, or ending that action would end the agent. A unit named `countermand-agent.service` is no scope.
 */
async function leaveScope({ own }: Place, log: (line: string) => void): Promise<string> {
  const base = insideScope.exec(own)?.[1]
  if (base === undefined) return own
  await writeFile(join(base, 'cgroup.procs'), String(process.pid), { flag: 'r+' }).catch((error: unknown) => {
    log(`The agent runs inside the scope of an action, ${own}, and could not leave it: ${String(error)}`)
  })
  return base
}

/** What stands against scopes below `parent`, or null. Enters one, as only that shows whether it can be done. */
async function tryOut(parent: string): Promise<string | null> {
  await mkdir(parent, { recursive: true })
  const probe = join(parent, `probe-${randomUUID()}`)
  await mkdir(probe)
  try {
    for (const file of ['cgroup.kill', 'cgroup.freeze']) await access(join(probe, file), constants.W_OK)
    const child = spawn('/bin/sh', ['-c', 'echo $$ >"$0/cgroup.procs"', probe], { stdio: 'ignore' })
    await once(child, 'exit')
    return child.exitCode === 0 ? null : `a process cannot enter ${probe}`
  } finally {
    // Should it not go, that is a folder too many, and no reason to do without proof.
    await isTrueWithin(1000, () => removeGroup(probe)).catch(() => false)
  }
}

function cgroupScopes(parent: string, mount: string): Scopes {
  /** What earlier, unsuccessful ends have found. */
  const told = new Map<string, Finds>()
  return {
    proof: 'stopped',
    description: `Actions run in control groups below ${parent} (cgroup v2): that one has stopped is proven by its group being empty and removed.`,

    async make(actionId) {
      refuseUnlessId(actionId)
      const scope = join(parent, actionId)
      // Below an unmounted hierarchy a folder can be made all the same, and means nothing.
      if (!(await isMounted(mount))) throw new Error(`No cgroup v2 is mounted at ${mount} any more.`)
      await mkdir(scope, { recursive: true })
      return scope
    },
    start: (scope, launch) => launchInside('cgroup', scope, launch),
    // Not the launch folder: that changes with every write, and watching a script that writes all the time took a fifth of a
    // core (tried). The group changes when the wrapper has gone, and so just after the status came.
    ended: (scope, folder, signal) =>
      answerWhenever(join(scope, 'cgroup.events'), signal, async () => {
        // In this order: who finds the scope empty and no status afterwards has missed none.
        const isAlive = await isPopulatedIn(mount, scope)
        return (await exitStatus(folder)) ?? (isAlive ? undefined : null)
      }),
    freeze: async (scope) => void (await freezeGroup(scope, longestFreezeMs)),
    async ask(scope, { withinMs, leaving }) {
      for (const { pid } of await membersOf(scope)) signalPid(pid, 'SIGTERM')
      await thawGroup(scope)
      await isTrueWithin(withinMs, async () => {
        leaving.throwIfAborted()
        return (await isPopulatedIn(mount, scope)) !== true
      })
    },
    exitStatus,
    isAlive: async (scope) => (await isPopulatedIn(mount, scope)) === true,

    async end(scope, actionId, { patienceMs = defaultPatienceMs, keep = false } = {}) {
      refuseUnlessOf(scope, actionId)
      const finds = told.get(scope) ?? { killed: new Map(), strays: new Map() }
      told.set(scope, finds)
      const ended = await endGroup({ mount, scope, actionId, finds, patienceMs, keep })
      told.delete(scope)
      return ended
    },
  }
}

interface Finds {
  readonly killed: Map<string, Found>
  readonly strays: Map<string, Found>
}

interface End {
  readonly mount: string
  readonly scope: string
  readonly actionId: string
  readonly finds: Finds
  readonly patienceMs: number
  readonly keep: boolean
}

async function endGroup({ mount, scope, actionId, finds, patienceMs, keep }: End): Promise<Ended> {
  const deadline = performance.now() + patienceMs
  const leftMs = (): number => Math.max(0, deadline - performance.now())
  await freezeGroup(scope, Math.min(longestFreezeMs, patienceMs))
  const members = await membersOf(scope)
  for (const member of members.slice(0, mostListed)) finds.killed.set(keyOf(member), describe(member.pid))
  // Strays are found while their parents are still there, and killed once they can no longer come back in.
  const hunt = openHunt({ actionId, roots: members, looks: 1 })
  await stopAll(hunt, leftMs())
  const isGone = await isTrueWithin(leftMs(), () => tryEmpty(mount, scope, keep))
  const isQuiet = await killAll(hunt, leftMs())
  for (const { process, found } of [...hunt.met.values()].slice(0, mostListed))
    finds.strays.set(keyOf(process), found)
  if (!isGone || !isQuiet) throw new Unkillable(scope, [...(await livingIn(scope)), ...everybodyLeft(hunt)])
  return { proof: 'stopped', killed: [...finds.killed.values()], strays: [...finds.strays.values()] }
}

/** One attempt. The proof is both: not populated, and then removed; a dead member may stand in /proc for long. */
async function tryEmpty(mount: string, scope: string, keep: boolean): Promise<boolean> {
  const populated = await isPopulatedIn(mount, scope)
  if (populated === null) return true
  if (!populated && keep) return thawGroup(scope).then(() => true)
  if (!populated) return removeGroup(scope)
  await killGroup(scope)
  return false
}

/** Like `isPopulated`, and null can be believed. */
async function isPopulatedIn(mount: string, scope: string): Promise<boolean | null> {
  const populated = await isPopulated(scope)
  if (populated === null && !(await isMounted(mount)))
    throw new Error(`No cgroup v2 is mounted at ${mount} any more.`)
  return populated
}

async function livingIn(scope: string): Promise<readonly Found[]> {
  return (await membersOf(scope)).slice(0, mostListed).map(({ pid }) => describe(pid))
}
