/**
 * The agent dies before and after every step that it takes on disk or on the machine, in every story that an action can have.
 * The next one must find its way from what is there: nothing runs twice, nothing outlives its cancel, every story has one end.
 */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonical, type News, type Offer } from '@countermand/contract'
import { describe, test } from 'vitest'
import type { Record } from './journal.ts'
import { listHeld } from './orders.ts'
import {
  Machine,
  getOf,
  inFolder,
  newId,
  offerOf,
  offerOfCommands,
  putOf,
  scriptNamed,
  textOf,
  until,
} from './testing/fakes.ts'
import { Life, taskSteps, type Fate } from './testing/life.ts'
import { genesis, openParts, type Parts } from './testing/parts.ts'

interface Story {
  readonly name: string
  readonly offer: (id: string) => Offer
  /** Plays the first agent's life as far as it goes; it may die over any of it. */
  readonly play: (parts: Parts, machine: Machine, id: string) => Promise<void>
  /** What the server wants by then. */
  readonly isCancelled: boolean
  readonly ends: readonly string[]
}

const stories: readonly Story[] = [
  {
    name: 'it runs to its end',
    offer: offerOf,
    isCancelled: false,
    ends: ['finished'],
    play: async (parts, machine, id) => {
      await parts.start(id)
      await machine.exit(id, 0)
      await parts.outcome(id)
    },
  },
  {
    name: 'it is cancelled before it has begun',
    offer: offerOf,
    isCancelled: true,
    ends: ['refused_start', 'not_received'],
    play: async (parts, _machine, id) => {
      await parts.order({ offers: [offerOf(id)] }, null)
      await parts.order({ cancels: [id] })
      await parts.outcome(id)
    },
  },
  {
    name: 'it is cancelled while it runs',
    offer: offerOf,
    isCancelled: true,
    // A start that was never carried out: ended without a status, and the cancel did not have to end it.
    ends: ['refused_start', 'not_received', 'stopped', 'finished'],
    play: async (parts, _machine, id) => {
      await parts.start(id)
      await parts.order({ cancels: [id] })
      await parts.outcome(id)
    },
  },
  {
    name: 'it ends while its cancel is under way',
    offer: offerOf,
    isCancelled: true,
    ends: ['refused_start', 'not_received', 'stopped', 'finished'],
    play: async (parts, machine, id) => {
      await parts.start(id)
      machine.before.freeze = () => machine.exit(id, 0)
      await parts.order({ cancels: [id] })
      await parts.outcome(id)
    },
  },
  {
    name: 'it is over, heard and forgotten',
    offer: offerOf,
    isCancelled: false,
    ends: ['finished'],
    play: async (parts, machine, id) => {
      await parts.start(id)
      await machine.exit(id, 0)
      await parts.outcome(id)
      await parts.order({ acknowledged: parts.news.pending().at(-1)?.n ?? 0, finals: [id] })
    },
  },
  {
    name: 'it has put files, run a script and fetched a file',
    offer: several,
    isCancelled: false,
    ends: ['finished'],
    play: async (parts, machine, id) => {
      await startSeveral(parts, machine, id)
      await machine.exit(id, 0)
      await parts.outcome(id)
    },
  },
  {
    name: 'it has put files, and is cancelled while its script runs',
    offer: several,
    isCancelled: true,
    ends: ['refused_start', 'not_received', 'stopped', 'reverted', 'finished'],
    play: async (parts, machine, id) => {
      await startSeveral(parts, machine, id)
      await parts.order({ cancels: [id] })
      await parts.outcome(id)
    },
  },
]

function several(id: string): Offer {
  const commands = [putOf('old'), putOf('new'), scriptNamed('a.sh'), getOf('/etc/hostname')]
  return offerOfCommands(id, commands)
}

async function startSeveral(parts: Parts, machine: Machine, id: string): Promise<void> {
  await parts.order({ offers: [several(id)] })
  await until('the script to run', () => machine.isAlive(id))
}

/** What was there before is there again after a cancel, and only then; a draft or a copy of it is nowhere. */
function assertPlaces(folder: string, isTakenBack: boolean, told: string): void {
  const textIn = (name: string): string => textOf(join(folder, 'put', name))
  assert.deepEqual([textIn('old'), textIn('new')], isTakenBack ? ['as it was', ''] : ['id\n', 'id\n'], told)
  assert.deepEqual(readdirSync(join(folder, 'put')).toSorted(), isTakenBack ? ['old'] : ['new', 'old'], told)
}

/** As a server would: offers what it has not heard of, or wants it cancelled, until there is an end. */
async function bringToEnd(parts: Parts, machine: Machine, story: Story, id: string): Promise<string> {
  let end: string | null = null
  await until('an end', async () => {
    const outcome = (await parts.journal.find(id))?.outcome ?? (await parts.journal.remembered(id))
    if (outcome !== null) return (end = outcome.kind)
    const isHeld = (await listHeld(parts.journal)).some((held) => held.id === id)
    if (story.isCancelled && !isHeld) return (end = 'not_received')
    if (story.isCancelled) await parts.order({ cancels: [id] })
    else await parts.order(isHeld ? { starts: [id] } : { offers: [story.offer(id)] })
    if (!story.isCancelled && machine.isAlive(id)) await machine.exit(id, 0)
    return false
  })
  return end ?? 'none'
}

function assertChained(parts: Parts): void {
  const items = parts.news.pending()
  for (const [index, item] of items.entries()) {
    const before = items[index - 1]
    if (before === undefined && item.n > 1) continue
    const digest = before && createHash('sha256').update(canonical(before)).digest('base64url')
    assert.equal(item.previous, digest ?? genesis)
  }
}

/** One story, one death; returns the steps that were taken. */
async function tell(story: Story, fate: Fate | null): Promise<readonly string[]> {
  const life = new Life(taskSteps, fate)
  await inFolder(async (folder) => {
    const [machine, id] = [new Machine(), newId()]
    const isPutting = story.offer === several
    if (isPutting) {
      mkdirSync(join(folder, 'put'))
      writeFileSync(join(folder, 'put', 'old'), 'as it was')
    }
    const first = await openParts(folder, machine, { wrap: life.wrap })
    const survived = await life.survives(story.play(first, machine, id))
    assert.equal(survived, fate === null)
    void first.runner.shutdown()
    delete machine.before.freeze

    const second = await openParts(folder, machine)
    const end = await bringToEnd(second, machine, story, id)
    await second.runner.shutdown()
    const told = `${end} after ${life.taken.join(', ')}`

    assert.ok(story.ends.includes(end), told)
    const hasFinished = outcomeIn(await second.journal.find(id)) === 'succeeded'
    // One that failed by itself leaves what it had put; here it fails only over a start that was never carried out.
    if (isPutting && (hasFinished || end !== 'finished')) assertPlaces(folder, !hasFinished, told)
    assert.ok(machine.starts(id) <= 1, `it ran twice; ${told}`)
    assert.equal(machine.isAlive(id), false, told)
    if (end === 'refused_start' || end === 'not_received') assert.equal(machine.starts(id), 0, told)
    if (machine.calls.includes('make'))
      assert.equal(machine.scopeOf(id).exists, false, `a scope is left; ${told}`)
    const outcome = (await second.journal.find(id))?.outcome ?? null
    assertEndIsTrue(end, outcome, machine.starts(id))
    if (outcome !== null)
      assert.ok(
        second.told(id).some(({ kind }) => kind === end),
        `nobody was told; ${told}`,
      )
    assertChained(second)
  })
  return life.taken
}

const outcomeIn = (record: Record | null): string | null =>
  record?.outcome?.kind === 'finished' ? record.outcome.outcome : null

function assertEndIsTrue(end: string, outcome: News | null, starts: number): void {
  if (outcome?.kind === 'finished' && outcome.outcome === 'succeeded') assert.equal(starts, 1, 'it has run')
  if (outcome !== null) assert.equal(outcome.kind, end)
}

describe.each(stories)('the agent dies, and $name:', (story) => {
  test('before and after every step', { timeout: 60_000 }, async () => {
    const all = await tell(story, null)
    assert.ok(all.length >= 5, all.join())
    for (const [index, name] of all.entries()) {
      for (const when of ['before', 'after'] as const) {
        await tell(story, { step: index + 1, when }).catch((thrown: unknown) => {
          throw new Error(`died ${when} step ${index + 1}, ${name}: ${String(thrown)}`, { cause: thrown })
        })
      }
    }
  })
})
