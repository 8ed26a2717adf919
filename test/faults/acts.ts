/** What the fault tests run, and what must be true of it whatever went wrong meanwhile. */
import assert from 'node:assert/strict'
import { execFile } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import type { MachineAction } from '@countermand/contract'
import { isRunning } from '../end-to-end/api.ts'
import { textOf } from '../end-to-end/beats.ts'
import { groupsOf, processesWith, type World } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'

/** Leaves a line each time it is run, and ends with 5 once it is told to go. */
const waitingScript = `#!/bin/sh
echo ran >>"$1/runs"; echo before
while [ ! -e "$1/go" ] && [ -d "$1" ]; do sleep 0.05; done
echo after; exit 5
`

export interface Issued {
  readonly id: string
  /** Where it leaves its lines. */
  readonly here: string
  /** In the command line of everything that it starts. */
  readonly word: string
}

/** Issues a script that waits, and waits for nothing. */
export async function issue(world: World): Promise<Issued> {
  const word = `word-${process.pid}-${performance.now()}`
  const here = world.scratch(word)
  const { id } = await world.api.run(world.device.machineId, waitingScript, `${here} ${word}`)
  return { id, here, word }
}

/** Issues it, and waits until it runs and the server knows. */
export async function startWaiting(world: World): Promise<Issued> {
  const issued = await issue(world)
  await until('the script to run', () => existsSync(join(issued.here, 'runs')))
  await world.api.untilAction(issued.id, 'runs', isRunning)
  return issued
}

export const letGo = ({ here }: Issued): void => writeFileSync(join(here, 'go'), '')

/** Once for each time that it was run. */
export const runsOf = ({ here }: Issued): string => textOf(join(here, 'runs'))

/** By the word as an argument: who collects a package elsewhere may just be listing the script's folder. */
export const isAlive = ({ word }: Issued): boolean => processesWith(`\0${word}\0`).length > 0

export async function untilGone(issued: Issued): Promise<void> {
  await until('the script to be gone', () => !isAlive(issued))
}

/** It ran once, to its own end, and its exit status has arrived. */
export async function assertWhole({ api }: World, issued: Issued): Promise<void> {
  const { status, countermand } = await api.untilOver(issued.id)
  assert.equal(status, 'Succeeded', JSON.stringify(countermand))
  assert.equal((await api.result(issued.id)).exit_code, 5)
  assert.equal(runsOf(issued), 'ran\n')
  assert.equal(isAlive(issued), false)
}

/** It was cancelled with proof, and nothing of it lives. */
export async function assertStopped(world: World, issued: Issued): Promise<void> {
  const { status, countermand } = await world.api.untilOver(issued.id)
  assert.deepEqual([status, countermand.proof], ['Cancelled', 'stopped'])
  assertNothingLives(world, issued)
}

/** What every Cancelled promises. */
export function assertNothingLives({ device }: World, issued: Issued): void {
  assert.equal(isAlive(issued), false, 'something of it lives')
  const group = join(groupsOf(device.dataFolder) ?? '', issued.id)
  assert.equal(existsSync(group), false, `its group is there: ${textOf(join(group, 'cgroup.events'))}`)
}

/** Asked for and not granted: in no way may it look cancelled. */
export function assertOutstanding({ status, cancellationDateTimeUtc, countermand }: MachineAction): void {
  assert.ok(['Pending', 'InProgress'].includes(status), status)
  assert.notEqual(countermand.cancel, null)
  assert.deepEqual([countermand.proof, cancellationDateTimeUtc], [null, null])
}

const verifyMain = join(import.meta.dirname, '../../packages/server/src/verify/main.ts')
const run = promisify(execFile)

/** `countermand verify` finds nothing wrong, with the device's folder beside the server's. */
export async function assertVerified(
  { dataFolder, device }: World,
  { inside = [], flags = [] }: { inside?: readonly string[]; flags?: readonly string[] } = {},
): Promise<void> {
  const compared = ['--data', dataFolder, '--agent', device.dataFolder, ...flags]
  const [file = '', ...args] = [...inside, process.execPath, verifyMain, ...compared]
  // What it found, and why it could not look, both end with an exit status.
  const { stdout, stderr } = await run(file, args).catch(
    (thrown: { stdout: string; stderr: string }) => thrown,
  )
  assert.match(stdout, /^verified: /m, stderr)
}
