/** An agent may die at every step of a posture: the next one ends where the last document said, and nobody is left without his news. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { aspects, type Aspect, type Posture as Document } from '@countermand/contract'
import { Machine, inFolder } from '../testing/fakes.ts'
import { Told, grounds, openPosture, type Ground } from '../testing/posture.ts'
import { isSame, postureFile } from './posture-file.ts'
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

interface World {
  readonly folder: string
  readonly machine: Machine
  readonly ground: Ground
  readonly news: Told
}

const mortal = (
  { folder, ground, news }: World,
  life: Life,
): Omit<Partial<PostureParts>, 'news'> & Pick<PostureParts, 'news'> => ({
  news: life.wrap(news, ['tell']),
  control: life.wrap(ground.control, ['apply']),
  file: life.wrap(postureFile(folder, ground.control.aspect), ['write']),
  released: life.wrap(releasedFile(folder, ground.control.aspect), ['remove']),
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
  void posture?.close()
}

const immortal = (): Life => new Life(0, false)

async function contact(world: World, posture: Posture, document?: Document): Promise<void> {
  world.machine.seconds += 1
  await posture.answered({ sentAt: world.machine.seconds })
  if (document !== undefined) await posture.take(document)
}

/** From isolated to isolated otherwise, and to free: with a cancel that waits. */
async function scenario(world: World, posture: Posture, documents: readonly Document[]): Promise<void> {
  for (const document of documents) {
    await posture.take(document)
    await contact(world, posture, document)
  }
}

function story({ full, free }: Ground): readonly Document[] {
  const one = full(1)
  const two = full(2)
  const ids = [one, two].map(({ action }) => action ?? '')
  return [one, { ...two, withdrawn: ids.slice(0, 1) }, free(3, ids.slice(1))]
}

const openWorld = (folder: string, aspect: Aspect): World => {
  const machine = new Machine()
  return { folder, machine, ground: grounds[aspect](machine), news: new Told() }
}

async function stepsOfAll(aspect: Aspect): Promise<number> {
  const life = immortal()
  await inFolder(async (folder) => {
    const world = openWorld(folder, aspect)
    await live(world, life, (posture) => scenario(world, posture, story(world.ground)))
  })
  return life.steps
}

describe.each(aspects)('dead, %s', async (aspect) => {
  const steps = Array.from({ length: await stepsOfAll(aspect) }, (_, index) => index + 1)
  test('there are steps to die at', () => assert.ok(steps.length >= 20, String(steps.length)))

  describe.each([false, true])('after the step: %s', (isAfter) => {
    test.each(steps)('at step %i, the next agent brings each action to its end', (at) =>
      inFolder(async (folder) => {
        const world = openWorld(folder, aspect)
        const { ground } = world
        const documents = story(ground)
        await live(world, new Life(at, isAfter), (posture) => scenario(world, posture, documents))
        const file = await postureFile(folder, aspect).read()
        const last = file?.candidate?.document ?? file?.confirmed ?? null
        await live(world, immortal(), async (posture) => {
          await posture.tick()
          // Without a word from the server: as the last document on disk has it.
          if (last !== null) assert.deepEqual(ground.has(), ground.as(last))
          for (const document of documents) {
            if (last === null || document.generation >= last.generation) {
              await posture.take(document)
              await contact(world, posture, document)
            }
          }
        })
        assert.deepEqual(ground.has(), ground.as(ground.free(0)))
        for (const { action } of documents.slice(0, 2)) {
          const told = world.news.of(action ?? '')
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

/** An isolation that no time takes back. */
const kept = (document: Document): Document => ({
  ...document,
  ...(document.passage && { passage: { ...document.passage, confirm: 'keep' } }),
})

/** Something happens; answers what the host was told last, if that has changed. */
async function happen(
  world: World,
  roll: (below: number) => number,
  last: Document | null,
): Promise<Document | null> {
  const { machine, ground } = world
  const life = roll(2) === 0 ? new Life(1 + roll(12), roll(2) === 0) : immortal()
  if (roll(6) === 0) machine.reboot()
  let said = last
  await live(world, life, async (posture) => {
    for (let turns = roll(4); turns > 0; turns -= 1) {
      const document = roll(2) === 0 ? kept(ground.full(1 + roll(9))) : ground.free(1 + roll(9))
      said = document
      await posture.take(document)
      if (roll(2) === 0) await contact(world, posture)
      if (roll(3) === 0) ground.takeAway()
      machine.seconds += roll(20)
      await posture.tick()
    }
  })
  return said
}

const seeds = Array.from({ length: 40 }, (_, index) => index + 1)

const trials = aspects.flatMap((aspect) => seeds.map((seed) => [aspect, seed] as const))

test.each(trials)('%s, seed %i: whatever happens, the host ends as it was told last', (aspect, seed) =>
  inFolder(async (folder) => {
    const world = openWorld(folder, aspect)
    const { ground } = world
    const roll = dice(seed * 7_919)
    let last: Document | null = null
    for (let times = 0; times < 12; times += 1) {
      last = await happen(world, roll, last)
      const told = last
      if (told === null) continue
      const file = await postureFile(folder, aspect).read()
      // A reply that met death before it was on disk was not taken: the server says it again.
      const isTaken = [file?.candidate?.document, file?.confirmed].some(
        (each) => each !== undefined && isSame(each, told),
      )
      await live(world, immortal(), async (posture) => {
        if (!isTaken) await posture.take(told)
        world.machine.seconds += 5
        await posture.tick()
        const now = await postureFile(folder, aspect).read()
        assert.deepEqual(ground.has(), ground.as(now?.candidate?.document ?? told))
        await posture.take(told)
        assert.deepEqual(ground.has(), ground.as(told))
      })
    }
  }),
)
