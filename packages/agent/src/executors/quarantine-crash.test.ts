/**
 * The agent dies before and after every step of a quarantine, and of its cancel. The next one must find its way from what is there: no
 * process stays stopped, no file is nowhere, and what is told is so.
 */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { News, Offer } from '@countermand/contract'
import { test } from 'vitest'
import { needs } from '../../../../test/needs.ts'
import { lookAt, makeProgram, stateOf } from '../host/quarantine/testing/scratch.ts'
import { listHeld } from '../orders.ts'
import { Machine, inFolder, newId, until } from '../testing/fakes.ts'
import { Life, taskSteps, type Fate } from '../testing/life.ts'
import { openParts, type Parts } from '../testing/parts.ts'

const offerOf = (id: string, sha1: string): Offer => ({
  id,
  type: 'StopAndQuarantineFile',
  parameters: { sha1, packaged: false },
  runLimitMs: 600_000,
})

/** As a server would: offers what it has not heard of, or wants it cancelled, until there is an end; null for one that it never had. */
async function bringToEnd(parts: Parts, offer: Offer, isCancelled: boolean): Promise<News | null> {
  const { id } = offer
  let end: News | null = null
  await until('an end', async () => {
    end = (await parts.journal.find(id))?.outcome ?? null
    if (end !== null && !(isCancelled && end.kind === 'finished')) return true
    const isHeld = (await listHeld(parts.journal)).some((held) => held.id === id)
    if (isCancelled && !isHeld) return true
    if (isCancelled) await parts.order({ cancels: [id] })
    else await parts.order(isHeld ? { starts: [id] } : { offers: [offer] })
    return false
  })
  return end
}

/** One life that ends as fate has it, and the next one's; returns the steps that were taken. */
async function tell(isCancelled: boolean, fate: Fate | null): Promise<readonly string[]> {
  const life = new Life(taskSteps, fate)
  await inFolder(async (own) => {
    const [folder, place] = [join(own, 'agent'), join(own, 'place')]
    for (const each of [folder, place]) mkdirSync(each)
    const evil = join(place, 'evil')
    const sha1 = makeProgram(evil)
    const before = lookAt(evil)
    const child = spawn(evil, ['60'], { stdio: 'ignore' })
    await once(child, 'spawn')
    try {
      const machine = new Machine()
      machine.searchIn = [place]
      const offer = offerOf(newId(), sha1)
      const first = await openParts(folder, machine, { wrap: life.wrap })
      const survived = await life.survives(play(first, offer, isCancelled))
      assert.equal(survived, fate === null)
      void first.runner.shutdown()

      const second = await openParts(folder, machine)
      const end = await bringToEnd(second, offer, isCancelled)
      await second.runner.shutdown()
      const told = `${JSON.stringify(end)} after ${life.taken.join(', ')}`
      const isAlive = child.signalCode === null
      if (isAlive) assert.doesNotMatch(stateOf(child.pid), /[Tt]/, `it is stopped; ${told}`)
      const killed = end !== null && 'commands' in end ? (end.commands[0]?.quarantined?.killed ?? []) : []
      assert.deepEqual(
        killed.map(({ pid }) => pid),
        isAlive ? [] : [child.pid],
        told,
      )
      if (isCancelled) assert.ok(end === null || ['reverted', 'refused_start'].includes(end.kind), told)
      else assert.ok(end?.kind === 'finished' && end.outcome === 'succeeded' && !isAlive, told)
      assert.equal(existsSync(evil), isCancelled, told)
      for (const { id } of await second.host.quarantine.list()) await second.host.quarantine.putBack(id)
      assert.deepEqual(lookAt(evil), before, told)
      assert.deepEqual(readdirSync(place), ['evil'], told)
    } finally {
      child.kill('SIGKILL')
    }
  })
  return life.taken
}

async function play(parts: Parts, offer: Offer, isCancelled: boolean): Promise<void> {
  await parts.order({ offers: [offer] })
  await parts.outcome(offer.id)
  if (!isCancelled) return
  await parts.order({ cancels: [offer.id] })
  await until('its end', () => parts.told(offer.id).some(({ kind }) => kind === 'reverted'))
}

const ofWork = ['journal.promise', 'byHash.freeze', 'byHash.kill', 'quarantine.take', 'journal.conclude']
const ofCancel = ['journal.takeCancel', 'quarantine.putBack', 'journal.conclude']

test.skipIf(!needs('root')).each([
  ['goes to its end', false],
  ['is cancelled after its end', true],
])(
  'the agent dies before and after every step of a quarantine that %s',
  { timeout: 120_000 },
  async (_what, isCancelled) => {
    const all = await tell(isCancelled, null)
    for (const step of [
      'byHash.freeze',
      'byHash.kill',
      'quarantine.take',
      ...(isCancelled ? ['quarantine.putBack'] : []),
    ])
      assert.ok(all.includes(step), all.join())
    // The others are every action's, and are died over in `recover.test.ts`.
    const own = isCancelled ? ofCancel : ofWork
    const from = isCancelled ? all.indexOf('journal.takeCancel') : 0
    for (const [index, name] of all.entries()) {
      if (index < from || !own.includes(name)) continue
      for (const when of ['before', 'after'] as const)
        await tell(isCancelled, { step: index + 1, when }).catch((thrown: unknown) => {
          throw new Error(`died ${when} step ${index + 1}, ${name}: ${String(thrown)}`, { cause: thrown })
        })
    }
  },
)
