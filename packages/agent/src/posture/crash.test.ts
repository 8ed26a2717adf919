/** An agent may die at every step of a posture: the next one ends where the last document said, and nobody is left without his news. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import type { Posture as Document } from '@countermand/contract'
import { Machine, inFolder } from '../testing/fakes.ts'
import { Told, free, full, openPosture } from '../testing/posture.ts'
import { barrierOf } from './barrier.ts'
import { postureFile } from './posture-file.ts'
import type { Posture, PostureParts } from './posture.ts'
import { releasedFile } from './released-file.ts'

class Died extends Error {}

/** Parts of an agent that dies at its Nth step outward, before or after the step is done; nothing of it does anything then. */
class Life {
  steps = 0
  private isDead = false
  private readonly at: number
  private readonly isAfter: boolean

  constructor(at: number, isAfter: boolean) {
    this.at = at
    this.isAfter = isAfter
  }

  wrap<T extends object>(part: T, names: readonly string[]): T {
    return new Proxy(part, {
      get: (target, name) => {
        const value: unknown = Reflect.get(target, name, target)
        if (typeof value !== 'function') return value
        const counts = typeof name === 'string' && names.includes(name)
        return (...given: unknown[]): unknown => {
          const work = (): unknown => Reflect.apply(value, target, given)
          return counts ? this.step(work) : work()
        }
      },
    })
  }

  private async step(work: () => unknown): Promise<unknown> {
    this.steps += 1
    const isLast = this.steps === this.at
    if (isLast && !this.isAfter) this.isDead = true
    if (this.isDead) throw new Died()
    const done = await work()
    if (!isLast) return done
    this.isDead = true
    throw new Died()
  }
}

const kernelOf = (document: Document) => barrierOf(document, 'https://server.example')

interface World {
  readonly folder: string
  readonly machine: Machine
  readonly news: Told
}

const mortal = (
  { folder, machine, news }: World,
  life: Life,
): Omit<Partial<PostureParts>, 'news'> & Pick<PostureParts, 'news'> => ({
  news: life.wrap(news, ['tell']),
  firewall: life.wrap(machine.firewall, ['apply']),
  file: life.wrap(postureFile(folder), ['write']),
  released: life.wrap(releasedFile(folder), ['remove']),
})

/** Does what it can before it dies. */
async function live(world: World, life: Life, work: (posture: Posture) => Promise<void>): Promise<void> {
  let posture: Posture | null = null
  try {
    posture = await openPosture(world.folder, world.machine, mortal(world, life))
    await work(posture)
  } catch (thrown) {
    if (!(thrown instanceof Died)) throw thrown
  }
  // What has died watches nothing; the watchers of the machine are its own.
  posture?.close()
}

const immortal = (): Life => new Life(0, false)

async function contact(world: World, posture: Posture, document: Document | null): Promise<void> {
  world.machine.seconds += 1
  await posture.answered({ sentAt: world.machine.seconds })
  await posture.take(document)
}

/** From isolated to isolated otherwise, and to free: with a cancel that waits. */
async function scenario(world: World, posture: Posture, documents: readonly Document[]): Promise<void> {
  for (const document of documents) {
    await posture.take(document)
    await contact(world, posture, document)
  }
}

function story(): readonly Document[] {
  const one = full(1)
  const two = full(2)
  const ids = [one, two].map(({ isolation }) => isolation.action ?? '')
  return [one, { ...two, withdrawn: ids.slice(0, 1) }, free(3, ids.slice(1))]
}

async function stepsOfAll(): Promise<number> {
  const life = immortal()
  await inFolder(async (folder) => {
    const world = { folder, machine: new Machine(), news: new Told() }
    await live(world, life, (posture) => scenario(world, posture, story()))
  })
  return life.steps
}

describe('dead', async () => {
  const steps = Array.from({ length: await stepsOfAll() }, (_, index) => index + 1)
  test('there are steps to die at', () => assert.ok(steps.length > 20, String(steps.length)))

  describe.each([false, true])('after the step: %s', (isAfter) => {
    test.each(steps)('at step %i, the next agent brings each action to its end', (at) =>
      inFolder(async (folder) => {
        const world = { folder, machine: new Machine(), news: new Told() }
        const documents = story()
        await live(world, new Life(at, isAfter), (posture) => scenario(world, posture, documents))
        const file = await postureFile(folder).read()
        const last = file?.candidate?.document ?? file?.confirmed ?? null
        await live(world, immortal(), async (posture) => {
          await posture.tick()
          // Without a word from the server: as the last document on disk has it.
          if (last !== null) assert.deepEqual(world.machine.firewall.kernel, kernelOf(last))
          for (const document of documents) {
            if (last === null || document.generation >= last.generation) {
              await posture.take(document)
              await contact(world, posture, document)
            }
          }
        })
        assert.equal(world.machine.firewall.kernel, null)
        for (const { isolation } of documents.slice(0, 2)) {
          const told = world.news.of(isolation.action ?? '')
          for (const word of ['started', 'finished succeeded', 'cancel_acknowledged', 'reverted'])
            assert.ok(told.includes(word), `${word} of ${told.join(', ')}`)
        }
      }),
    )
  })
})

/** Numbers that a seed decides. */
function dice(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return Math.floor((state / 2 ** 32) * below)
  }
}

/** Something happens; answers what the host was told last, if that has changed. */
async function happen(
  world: World,
  roll: (below: number) => number,
  last: Document | null,
): Promise<Document | null> {
  const { machine } = world
  const life = roll(2) === 0 ? new Life(1 + roll(12), roll(2) === 0) : immortal()
  if (roll(6) === 0) machine.reboot()
  let said = last
  await live(world, life, async (posture) => {
    for (let turns = roll(4); turns > 0; turns -= 1) {
      const document = roll(2) === 0 ? full(1 + roll(9), { confirm: 'keep' }) : free(1 + roll(9))
      said = document
      await posture.take(document)
      if (roll(2) === 0) await contact(world, posture, null)
      if (roll(3) === 0) machine.firewall.flush()
      machine.seconds += roll(20)
      await posture.tick()
    }
  })
  return said
}

const seeds = Array.from({ length: 40 }, (_, index) => index + 1)

test.each(seeds)('seed %i: whatever happens, the host ends as it was told last', (seed) =>
  inFolder(async (folder) => {
    const world = { folder, machine: new Machine(), news: new Told() }
    const roll = dice(seed * 7_919)
    let last: Document | null = null
    for (let times = 0; times < 12; times += 1) {
      last = await happen(world, roll, last)
      const told = last
      if (told === null) continue
      const file = await postureFile(folder).read()
      // A reply that met death before it was on disk was not taken: the server says it again.
      const isTaken = [file?.candidate?.document, file?.confirmed].some(
        (each) => each?.generation === told.generation,
      )
      await live(world, immortal(), async (posture) => {
        if (!isTaken) await posture.take(told)
        world.machine.seconds += 5
        await posture.tick()
        const kept = await postureFile(folder).read()
        assert.deepEqual(world.machine.firewall.kernel, kernelOf(kept?.candidate?.document ?? told))
        await posture.take(told)
        assert.deepEqual(world.machine.firewall.kernel, kernelOf(told))
      })
    }
  }),
)
