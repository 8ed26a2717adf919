/** How a host stands: what is taken, made so, taken back and put back, over a host that only remembers; the same for each aspect. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { aspects } from '@countermand/contract'
import { Machine, newId } from '../testing/fakes.ts'
import { grounds } from '../testing/posture.ts'
import { actionOf, nothing, stand, withAspect, type Trial } from '../testing/posture-trial.ts'
import type { PostureParts } from './posture.ts'
import { releasedFile } from './released-file.ts'

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
        {
          file: {
            read: () => Promise.resolve(null),
            write: () => Promise.reject(new Error('full')),
            remove: () => Promise.resolve(),
          },
        },
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
        await trial.posture.close()
        trial.machine.reboot()
        const next = await trial.again()
        assert.deepEqual(trial.ground.has(), trial.ground.as(document))
        assert.deepEqual(trial.news.of(actionOf(document)), ['started', 'finished succeeded'])
        await next.close()
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
        await trial.posture.close()
        trial.machine.reboot()
        trial.ground.refuse(2)
        const next = await trial.again()
        await next.take({ ...one, withdrawn: [id] })
        assert.deepEqual(trial.news.of(id), ['cancel_acknowledged'])
        await trial.later(3, next)
        assert.deepEqual(trial.news.of(id), ['cancel_acknowledged', 'reverted'])
        await next.close()
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
        await trial.posture.close()
        await releasedFile(trial.folder, aspect).write({ nonce: 'n', at: 'now' })
        trial.ground.takeAway()
        const next = await trial.again()
        assert.deepEqual(trial.ground.has(), freed)
        assert.deepEqual(trial.news.of(actionOf(one)).slice(2), ['released'])
        assert.deepEqual(trial.ground.applied().slice(1), [freed])
        await next.close()
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
