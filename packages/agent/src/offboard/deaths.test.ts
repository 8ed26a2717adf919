/** The agent dies before and after every step of an offboarding: it goes through, or the host stands as it did, and both are told. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { describe, test } from 'vitest'
import { listHeld } from '../orders.ts'
import { Machine, inFolder, newId, until } from '../testing/fakes.ts'
import { Life, type Fate, type Steps } from '../testing/life.ts'
import {
  assertStands,
  fileOf,
  isolated,
  offboarding,
  over,
  shortOf,
  waiting,
  type Trial,
} from '../testing/offboarding.ts'
import { openParts, type Parts } from '../testing/parts.ts'

const steps: Steps = {
  journal: ['accept', 'decide', 'takeCancel', 'commit', 'conclude', 'drop'],
  news: ['tell', 'acknowledge'],
  scopes: ['make', 'end'],
  firewall: ['apply'],
  posture: ['forget'],
}

interface Story {
  readonly name: string
  readonly isCancelled: boolean
  readonly play: (trial: Trial) => Promise<void>
}

const stories: readonly Story[] = [
  {
    name: 'it goes through',
    isCancelled: false,
    play: async (trial) => {
      const { parts, id } = trial
      await waiting(trial)
      await parts.order({ starts: [id] })
      await parts.outcome(id)
      await parts.order({ acknowledged: 99, finals: [id] })
    },
  },
  {
    name: 'it is cancelled before the commit point',
    isCancelled: true,
    play: async (trial) => {
      await waiting(trial)
      await trial.parts.order({ cancels: [trial.id] })
      await trial.parts.outcome(trial.id)
    },
  },
]

/** As a server would: offers it, lets it go on, or wants it cancelled, until there is an end; how to stand it says each time. */
async function bringToEnd({ parts, machine, id, document }: Trial, isCancelled: boolean): Promise<string> {
  let end = ''
  await until('an end', async () => {
    const outcome = (await parts.journal.find(id))?.outcome
    if (outcome != null) return (end = shortOf([outcome])[0] ?? '')
    const isHeld = (await listHeld(parts.journal)).some((held) => held.id === id)
    if (isCancelled && !isHeld) return (end = 'not_received')
    machine.seconds += 1
    const order = isCancelled ? { cancels: [id] } : isHeld ? { starts: [id] } : { offers: [offboarding(id)] }
    await parts.order({ ...order, postures: { isolation: document } })
    return false
  })
  return end
}

/** Who has died does not come to the end of it. */
async function closed(parts: Parts | null): Promise<void> {
  await Promise.all([parts?.posture.close(), parts?.runner.shutdown()])
}

/** One story, one death; returns the steps that were taken. */
async function tell({ isCancelled, play }: Story, fate: Fate | null): Promise<readonly string[]> {
  const life = new Life(steps, fate)
  await inFolder(async (folder) => {
    const [machine, id] = [new Machine(), newId()]
    const early = await openParts(folder, machine)
    const document = await isolated({ machine, parts: early })
    await early.posture.close()
    let first: Parts | null = null
    const lived = async (): Promise<void> => {
      first = await openParts(folder, machine, { wrap: life.wrap })
      await play({ folder, machine, parts: first, id, document })
    }
    assert.equal(await life.survives(lived()), fate === null)
    void closed(first)
    const second = { folder, machine, id, document, parts: await openParts(folder, machine) }
    const end = await bringToEnd(second, isCancelled)
    const why = `${end} after ${life.taken.join(', ')}`
    await second.parts.runner.shutdown()
    const allowed = isCancelled
      ? ['refused_start', 'not_received', 'stopped', 'reverted']
      : ['finished succeeded']
    assert.ok(allowed.includes(end), why)
    if (isCancelled) await assertStands(second)
    else {
      assert.equal(machine.firewall.kernel, null, why)
      assert.equal(existsSync(fileOf(second)), false, why)
      assert.equal(await over(second, true), id, why)
    }
    assert.ok(machine.starts(id) === 0, why)
    await second.parts.posture.close()
  })
  return life.taken
}

describe.each(stories)('the agent dies, and $name:', (story) => {
  test('before and after every step', { timeout: 60_000 }, async () => {
    const all = await tell(story, null)
    assert.ok(all.includes(story.isCancelled ? 'journal.takeCancel' : 'journal.commit'), all.join())
    for (const [index, name] of all.entries()) {
      for (const when of ['before', 'after'] as const) {
        await tell(story, { step: index + 1, when }).catch((thrown: unknown) => {
          throw new Error(`died ${when} step ${index + 1}, ${name}: ${String(thrown)}`, { cause: thrown })
        })
      }
    }
  })
})
