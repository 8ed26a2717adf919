/** How a host stands: what is taken, made so, confirmed, taken back and put back, over a host that only remembers. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { aspects, type Aspect, type Posture as Document } from '@countermand/contract'
import { Machine, inFolder, newId, until } from '../testing/fakes.ts'
import { Told, full as isolating, grounds, openPosture, type Ground } from '../testing/posture.ts'
import { postureFile } from './posture-file.ts'
import { together } from './open.ts'
import type { Posture, PostureParts } from './posture.ts'
import { releasedFile } from './released-file.ts'

const actionOf = ({ action }: Document): string => action ?? ''
const nothing = { action: null, type: 'None' } as const

interface Trial {
  readonly folder: string
  readonly machine: Machine
  readonly ground: Ground
  readonly news: Told
  readonly posture: Posture
  /** The next agent, over the same folder and host. */
  readonly again: (given?: Partial<PostureParts>) => Promise<Posture>
  /** Time passes, and the agent looks. */
  readonly later: (seconds: number, posture?: Posture) => Promise<void>
  /** An exchange that was sent now, and accepted. */
  readonly contact: (posture?: Posture) => Promise<void>
}

const withAspect = (
  aspect: Aspect,
  run: (trial: Trial) => Promise<void>,
  given: Partial<PostureParts> = {},
): Promise<void> =>
  inFolder(async (folder) => {
    const machine = new Machine()
    const ground = grounds[aspect](machine)
    const { control } = ground
    const news = new Told()
    const again = async (more: Partial<PostureParts> = {}): Promise<Posture> => {
      const opened = await openPosture(folder, machine, { news, control, ...given, ...more })
      // What is slow goes on by itself.
      await opened.tick()
      return opened
    }
    const posture = await again()
    const later = async (seconds: number, of = posture): Promise<void> => {
      for (let passed = 0; passed < seconds; passed += 1) {
        machine.seconds += 1
        await of.tick()
      }
    }
    const contact = (of = posture): Promise<void> => {
      machine.seconds += 0.5
      return of.answered({ sentAt: machine.seconds })
    }
    await run({ folder, machine, ground, news, posture, again, later, contact })
    posture.close()
  })

/** It stands, confirmed. */
async function stand({ posture, contact }: Trial, document: Document): Promise<void> {
  await posture.take(document)
  await contact()
}

describe.each(aspects)('%s:', (aspect) => {
  const { full, free } = grounds[aspect](new Machine())
  const freed = grounds[aspect](new Machine()).as(free(0))
  const withPosture = (
    run: (trial: Trial) => Promise<void>,
    given: Partial<PostureParts> = {},
  ): Promise<void> => withAspect(aspect, run, given)

  describe('a document', () => {
    test('that lifts stands as soon as the host has it, and its action has succeeded', () =>
      withPosture(async (trial) => {
        const [isolation, unisolation] = [full(1), free(2, [], newId())]
        await stand(trial, isolation)
        await trial.posture.take(unisolation)
        assert.deepEqual(trial.ground.has(), freed)
        assert.deepEqual(trial.news.of(actionOf(unisolation)), ['started', 'finished succeeded'])
        assert.equal(trial.posture.report().stands, 2)
      }))

    test('is made so again by a later generation, a lower one, or the same with another content, and not by itself', () =>
      withPosture(async (trial) => {
        const { ground } = trial
        const first = full(5)
        await stand(trial, first)
        for (const next of [full(6), full(3), full(3)]) {
          await stand(trial, next)
          assert.deepEqual(ground.has(), ground.as(next))
          assert.deepEqual(trial.news.of(actionOf(next)), ['started', 'finished succeeded'])
        }
        const { length } = ground.applied()
        await trial.posture.take({ ...first, generation: 3, action: newId() })
        assert.equal(ground.applied().length, length + 1)
      }))

    test('that stands is not made so again, and what is waited for is not taken twice', () =>
      withPosture(async (trial) => {
        const { ground, posture, contact } = trial
        const document = full(1)
        await posture.take(document)
        await posture.take(document)
        await contact()
        await posture.take(document)
        assert.equal(ground.applied().length, 1)
      }))

    test('of a new generation for the action that stands is told as succeeded again, and not as started', () =>
      withPosture(async (trial) => {
        const one = full(1)
        await stand(trial, one)
        await stand(trial, { ...one, generation: 2 })
        assert.deepEqual(trial.news.of(actionOf(one)), [
          'started',
          'finished succeeded',
          'finished succeeded',
        ])
      }))

    test('that the disk does not take is not made so', () =>
      withPosture(
        async ({ ground, posture }) => {
          await assert.rejects(posture.take(full(1)), /full/)
          assert.deepEqual(ground.applied(), [])
        },
        { file: { read: () => Promise.resolve(null), write: () => Promise.reject(new Error('full')) } },
      ))
  })

  describe('a host that refuses', () => {
    test('is asked three times more, and then it has failed and what stood before stands', () =>
      withPosture(async (trial) => {
        const { ground, news, posture, later } = trial
        const [one, two] = [full(1), full(2)]
        await stand(trial, one)
        ground.refuse(4, 'active')
        await posture.take(two)
        await later(2)
        assert.deepEqual(news.of(actionOf(two)), ['started'])
        await later(1)
        assert.deepEqual(news.of(actionOf(two)), ['started', 'finished failed'])
        assert.deepEqual(ground.has(), ground.as(one))
        assert.equal(posture.report().stands, 1)
        await stand(trial, two)
        assert.equal(posture.report().stands, 2, 'one that failed before is tried again')
      }))

    test('to be free is asked for ever, and who waits for it hears once that it failed', () =>
      withPosture(async (trial) => {
        const { ground, news, posture, later } = trial
        const one = full(1)
        await stand(trial, one)
        ground.refuse(10)
        await posture.take(free(2, [actionOf(one)]))
        await later(60)
        const told = news.of(actionOf(one)).slice(2)
        assert.deepEqual(told, ['cancel_acknowledged', 'revert_failed', 'reverted'])
        assert.deepEqual(ground.has(), freed)
      }))
  })

  describe('after a start', () => {
    test('what stood is put back before anything else, and is told no second time', () =>
      withPosture(async (trial) => {
        const document = full(1)
        await stand(trial, document)
        trial.posture.close()
        trial.machine.reboot()
        const next = await trial.again()
        assert.deepEqual(trial.ground.has(), trial.ground.as(document))
        assert.deepEqual(trial.news.of(actionOf(document)), ['started', 'finished succeeded'])
        next.close()
      }))

    test('where nothing can be made, to be free takes nothing', () =>
      withPosture(async ({ ground, posture }) => {
        ground.lacks('apt-get install it')
        await posture.take(free(3))
        assert.equal(posture.report().stands, 3)
      }))
  })

  describe('who waits for a posture without its action', () => {
    test('hears that it is taken, and that it is gone once the latest stands, each once and once more', () =>
      withPosture(async (trial) => {
        const { news, posture, contact } = trial
        const one = full(1)
        await stand(trial, one)
        const two = { ...full(2), withdrawn: [actionOf(one)] }
        await posture.take(two)
        const atOnce = aspect === 'isolation' ? [] : ['reverted']
        assert.deepEqual(news.of(actionOf(one)).slice(2), ['cancel_acknowledged', ...atOnce])
        await contact()
        assert.deepEqual(news.of(actionOf(one)).slice(2), ['cancel_acknowledged', 'reverted'])
        await posture.take(two)
        assert.equal(news.of(actionOf(one)).length, 4)
        for (const _ of [1, 2, 3]) {
          news.acknowledge()
          await posture.take(two)
        }
        const once = ['cancel_acknowledged', 'reverted']
        assert.deepEqual(news.of(actionOf(one)).slice(2), [...once, ...once])
      }))

    test('hears it too where the latest posture stands already', () =>
      withPosture(async (trial) => {
        const id = newId()
        const one = full(1)
        await stand(trial, one)
        await trial.posture.take({ ...one, withdrawn: [id] })
        assert.deepEqual(trial.news.of(id), ['cancel_acknowledged', 'reverted'])
      }))

    test('does not hear it while the host does not have what is on disk', () =>
      withPosture(async (trial) => {
        const id = newId()
        const one = full(1)
        await stand(trial, one)
        trial.posture.close()
        trial.machine.reboot()
        trial.ground.refuse(2)
        const next = await trial.again()
        await next.take({ ...one, withdrawn: [id] })
        assert.deepEqual(trial.news.of(id), ['cancel_acknowledged'])
        await trial.later(3, next)
        assert.deepEqual(trial.news.of(id), ['cancel_acknowledged', 'reverted'])
        next.close()
      }))
  })

  test('a host that must not stand so says why, and stands free', () =>
    withPosture(
      async (trial) => {
        const { ground, news, posture } = trial
        const document = full(1)
        for (const _ of [1, 2, 3, 4]) {
          await posture.take(document)
          news.acknowledge()
        }
        assert.deepEqual(ground.has(), freed)
        assert.deepEqual(news.of(actionOf(document)), ['finished failed', 'finished failed'])
        const [told] = news.items
        assert.equal(told?.kind === 'finished' && told.detail, 'it runs the server')
        assert.equal(posture.report().stands, 0)
      },
      { whyNot: () => Promise.resolve('it runs the server') },
    ))

  describe('lifted on the spot', () => {
    test('it is told as that, put back by nobody, and the next reply decides again', () =>
      withPosture(async (trial) => {
        const { ground, news, folder, later, posture } = trial
        const one = full(4)
        await stand(trial, one)
        await releasedFile(folder, aspect).write({ nonce: 'n', at: 'now' })
        ground.takeAway()
        await later(10)
        assert.deepEqual(ground.has(), freed)
        assert.deepEqual(news.of(actionOf(one)).slice(2), ['released'])
        assert.deepEqual(posture.report(), { taken: 0, stands: 0, ...nothing })
        assert.equal(await releasedFile(folder, aspect).read(), null)
        await stand(trial, one)
        assert.deepEqual(ground.has(), ground.as(one))
        assert.deepEqual(news.of(actionOf(one)).slice(3), ['started', 'finished succeeded'])
      }))

    test('while no agent ran, it is taken in by the next before it would put anything back', () =>
      withPosture(async (trial) => {
        const one = full(4)
        await stand(trial, one)
        trial.posture.close()
        await releasedFile(trial.folder, aspect).write({ nonce: 'n', at: 'now' })
        trial.ground.takeAway()
        const next = await trial.again()
        assert.deepEqual(trial.ground.has(), freed)
        assert.deepEqual(trial.news.of(actionOf(one)).slice(2), ['released'])
        assert.deepEqual(trial.ground.applied().slice(1), [freed])
        next.close()
      }))
  })

  test('an agent that is new here leaves what it finds, until the first reply says how the host is to stand', () =>
    withPosture(async ({ ground, posture, later }) => {
      const found = full(7)
      await ground.control.apply(found)
      await later(10)
      assert.deepEqual(ground.applied(), [ground.as(found)])
      await posture.take(free(0))
      assert.deepEqual(ground.has(), freed)
    }))
})

describe('an isolation', () => {
  const withPosture = (run: (trial: Trial) => Promise<void>): Promise<void> => withAspect('isolation', run)
  const { full } = grounds.isolation(new Machine())

  test('is on disk before the host has it, is started, and stands once a later sync is answered', () =>
    withPosture(async ({ ground, news, posture, contact, folder }) => {
      const document = full(1)
      const onDisk: unknown[] = []
      ground.before(
        async () => void onDisk.push((await postureFile(folder, 'isolation').read())?.candidate?.document),
      )
      await posture.take(document)
      assert.deepEqual(onDisk, [document])
      assert.deepEqual(ground.has(), ground.as(document))
      assert.deepEqual(news.of(actionOf(document)), ['started'])
      assert.deepEqual(posture.report(), { taken: 1, stands: 0, ...nothing })
      await contact()
      assert.deepEqual(news.of(actionOf(document)), ['started', 'finished succeeded'])
      const by = { action: actionOf(document), type: 'Full' }
      assert.deepEqual(posture.report(), { taken: 1, stands: 1, ...by })
    }))

  test('does not stand by an answer to what was sent before it was made so, or by an earlier agent', () =>
    withPosture(async ({ machine, news, posture }) => {
      const document = full(1)
      const before = machine.seconds
      await posture.take(document)
      for (const sentAt of [null, before - 1, before]) await posture.answered({ sentAt })
      assert.deepEqual(news.of(actionOf(document)), ['started'])
    }))

  test('the confirmed one again takes back what was to follow it', () =>
    withPosture(async (trial) => {
      const [one, two] = [full(1), full(2)]
      await stand(trial, one)
      await trial.posture.take(two)
      await trial.posture.take(one)
      await trial.contact()
      assert.deepEqual(trial.ground.has(), trial.ground.as(one))
      assert.deepEqual(trial.news.of(actionOf(two)), ['started'])
    }))
  describe('without contact', () => {
    test('an isolation is taken back after 60 s, and has failed', () =>
      withPosture(async ({ ground, news, posture, later }) => {
        const document = full(1)
        await posture.take(document)
        await later(59)
        assert.deepEqual(ground.has(), ground.as(document))
        await later(1)
        assert.deepEqual(ground.has(), null)
        assert.deepEqual(news.of(actionOf(document)), ['started', 'finished failed'])
        const last = news.items.at(-1)
        const words = 'No contact with the server within 60 s: the host was put back to how it stood before.'
        assert.equal(last?.kind === 'finished' && last.detail, words)
      }))

    test('what stood before stands again, and not nothing', () =>
      withPosture(async (trial) => {
        const [one, two] = [full(1), full(2)]
        await stand(trial, one)
        await trial.posture.take(two)
        await trial.later(60)
        assert.deepEqual(trial.ground.has(), trial.ground.as(one))
        assert.deepEqual(trial.posture.report().stands, 1)
      }))

    test('one that is to be kept stays, unconfirmed, until there is contact', () =>
      withPosture(async ({ ground, news, posture, later, contact }) => {
        const document = isolating(1, { confirm: 'keep' })
        await posture.take(document)
        await later(100)
        assert.deepEqual(ground.has(), ground.as(document))
        assert.deepEqual(news.of(actionOf(document)), ['started'])
        await contact()
        assert.deepEqual(news.of(actionOf(document)), ['started', 'finished succeeded'])
      }))

    test('the time runs on through a restart, and anew after another boot', () =>
      withPosture(async ({ ground, machine, posture, later, again }) => {
        const document = full(1)
        await posture.take(document)
        posture.close()
        await later(0)
        machine.seconds += 50
        const second = await again()
        await later(9, second)
        assert.deepEqual(ground.has(), ground.as(document))
        second.close()
        machine.reboot()
        const third = await again()
        assert.deepEqual(ground.has(), ground.as(document))
        await later(59, third)
        assert.deepEqual(ground.has(), ground.as(document))
        await later(1, third)
        assert.deepEqual(ground.has(), null)
        third.close()
      }))

    test('a restart after the time is over puts back what stood before', () =>
      withPosture(async ({ ground, machine, posture, again, news }) => {
        const document = full(1)
        await posture.take(document)
        posture.close()
        machine.seconds += 61
        const next = await again()
        assert.deepEqual(ground.has(), null)
        assert.deepEqual(news.of(actionOf(document)), ['started', 'finished failed'])
        next.close()
      }))
  })
  test('a server with another history hears again what stands, and what is on its way', () =>
    withPosture(async (trial) => {
      const [one, two] = [full(1), full(2)]
      await stand(trial, one)
      await trial.posture.take(two)
      await trial.posture.newEpoch()
      assert.deepEqual(trial.news.of(actionOf(one)), ['started', 'finished succeeded', 'finished succeeded'])
      assert.deepEqual(trial.news.of(actionOf(two)), ['started', 'started'])
    }))
})

describe('a restriction', () => {
  test('is on disk before the host has it, and stands as soon as it was made, without contact', () =>
    withAspect('restriction', async ({ ground, news, posture, later, folder }) => {
      const document = ground.full(1)
      const onDisk: unknown[] = []
      ground.before(
        async () => void onDisk.push((await postureFile(folder, 'restriction').read())?.candidate?.document),
      )
      await posture.take(document)
      assert.deepEqual(onDisk, [document])
      assert.equal(ground.has(), true)
      assert.deepEqual(news.of(actionOf(document)), ['started', 'finished succeeded'])
      assert.deepEqual(posture.report(), { taken: 1, stands: 1, action: actionOf(document), type: 'Full' })
      await later(100)
      assert.equal(ground.has(), true)
    }))

  test('that takes long keeps no other order waiting, and the last one said while it does is the one that stands', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const news = new Told()
      const pairs = []
      for (const aspect of aspects) {
        const { control } = grounds[aspect](machine)
        pairs.push({ control, posture: await openPosture(folder, machine, { news, control }) })
      }
      const postures = together(pairs, () => undefined)
      const ground = grounds.restriction(machine)
      let letGo = (): void => undefined
      const isHeld = new Promise<void>((resolve) => (letGo = resolve))
      ground.before(() => isHeld)
      const [first, isolation] = [ground.full(1), isolating(1)]
      await postures.take({ restriction: first })
      await until('it to be on disk', async () => (await postureFile(folder, 'restriction').read()) !== null)
      await postures.take({ isolation, restriction: ground.full(2) })
      assert.deepEqual(machine.firewall.kernel, grounds.isolation(machine).as(isolation))
      await postures.take({ isolation, restriction: ground.free(3, [actionOf(first)]) })
      assert.equal(ground.has(), false)
      letGo()
      await until('the last one said to stand', () => postures.report().restriction?.stands === 3)
      assert.equal(ground.has(), false)
      assert.deepEqual(ground.applied(), [true, false], 'what was said in between is left out')
      assert.ok(news.of(actionOf(first)).includes('reverted'))
      for (const { posture } of pairs) posture.close()
    }))

  test('that the disk does not take at once is taken later, without being said again', () =>
    withAspect('restriction', async ({ folder, machine, ground, news }) => {
      const file = postureFile(folder, 'restriction')
      let isFull = true
      const write = (state: Parameters<typeof file.write>[0]): Promise<void> =>
        isFull ? Promise.reject(new Error('full')) : file.write(state)
      const { control } = ground
      const posture = await openPosture(folder, machine, { news, control, file: { ...file, write } })
      const postures = together([{ control, posture }], () => undefined)
      await postures.take({ restriction: ground.full(1) })
      await posture.tick()
      assert.deepEqual(ground.applied(), [])
      isFull = false
      await posture.tick()
      assert.equal(ground.has(), true)
      posture.close()
    }))
})
