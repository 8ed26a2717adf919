/** When what was made stands: an isolation after contact through it, a restriction at once; and nobody waits for one that takes long. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { Machine, inFolder, until } from '../testing/fakes.ts'
import { Told, full as isolating, grounds, openPosture, openStandings } from '../testing/posture.ts'
import { actionOf, nothing, stand, withAspect, type Trial } from '../testing/posture-trial.ts'
import { together } from './open.ts'
import { postureFile } from './posture-file.ts'
import { releasedFile } from './released-file.ts'
import { openStanding } from './standing.ts'

const withIsolation = (run: (trial: Trial) => Promise<void>): Promise<void> => withAspect('isolation', run)

describe('an isolation', () => {
  test('is on disk before the host has it, is started, and stands once a later sync is answered', () =>
    withIsolation(async ({ ground, news, posture, contact, folder }) => {
      const document = isolating(1)
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
    withIsolation(async ({ machine, news, posture }) => {
      const document = isolating(1)
      const before = machine.seconds
      await posture.take(document)
      for (const sentAt of [null, before - 1, before]) await posture.answered({ sentAt })
      assert.deepEqual(news.of(actionOf(document)), ['started'])
    }))

  test('the confirmed one again takes back what was to follow it', () =>
    withIsolation(async (trial) => {
      const [one, two] = [isolating(1), isolating(2)]
      await stand(trial, one)
      await trial.posture.take(two)
      await trial.posture.take(one)
      await trial.contact()
      assert.deepEqual(trial.ground.has(), trial.ground.as(one))
      assert.deepEqual(trial.news.of(actionOf(two)), ['started'])
    }))
  describe('without contact', () => {
    test('an isolation is taken back after 60 s, and has failed', () =>
      withIsolation(async ({ ground, news, posture, later }) => {
        const document = isolating(1)
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
      withIsolation(async (trial) => {
        const [one, two] = [isolating(1), isolating(2)]
        await stand(trial, one)
        await trial.posture.take(two)
        await trial.later(60)
        assert.deepEqual(trial.ground.has(), trial.ground.as(one))
        assert.deepEqual(trial.posture.report().stands, 1)
      }))

    test('one that is to be kept stays, unconfirmed, until there is contact', () =>
      withIsolation(async ({ ground, news, posture, later, contact }) => {
        const document = isolating(1, { confirm: 'keep' })
        await posture.take(document)
        await later(100)
        assert.deepEqual(ground.has(), ground.as(document))
        assert.deepEqual(news.of(actionOf(document)), ['started'])
        await contact()
        assert.deepEqual(news.of(actionOf(document)), ['started', 'finished succeeded'])
      }))

    test('the time runs on through a restart, and anew after another boot', () =>
      withIsolation(async ({ ground, machine, posture, later, again }) => {
        const document = isolating(1)
        await posture.take(document)
        await posture.close()
        await later(0)
        machine.seconds += 50
        const second = await again()
        await later(9, second)
        assert.deepEqual(ground.has(), ground.as(document))
        await second.close()
        machine.reboot()
        const third = await again()
        assert.deepEqual(ground.has(), ground.as(document))
        await later(59, third)
        assert.deepEqual(ground.has(), ground.as(document))
        await later(1, third)
        assert.deepEqual(ground.has(), null)
        await third.close()
      }))

    test('a restart after the time is over puts back what stood before', () =>
      withIsolation(async ({ ground, machine, posture, again, news }) => {
        const document = isolating(1)
        await posture.take(document)
        await posture.close()
        machine.seconds += 61
        const next = await again()
        assert.deepEqual(ground.has(), null)
        assert.deepEqual(news.of(actionOf(document)), ['started', 'finished failed'])
        await next.close()
      }))
  })
  test('a server with another history hears again what stands, and what is on its way', () =>
    withIsolation(async (trial) => {
      const [one, two] = [isolating(1), isolating(2)]
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
      const standings = await openStandings(folder, machine, { news })
      const postures = together(standings, folder, () => undefined)
      const ground = grounds.restriction(machine)
      const held = Promise.withResolvers<void>()
      ground.before(() => held.promise)
      const [first, isolation] = [ground.full(1), isolating(1)]
      await postures.take({ restriction: first })
      await until('it to be on disk', async () => (await postureFile(folder, 'restriction').read()) !== null)
      await postures.take({ isolation, restriction: ground.full(2) })
      assert.deepEqual(machine.firewall.kernel, grounds.isolation(machine).as(isolation))
      await postures.take({ isolation, restriction: ground.free(3, [actionOf(first)]) })
      assert.equal(ground.has(), false)
      held.resolve()
      await until('the last one said to stand', () => postures.report().restriction?.stands === 3)
      assert.equal(ground.has(), false)
      assert.deepEqual(ground.applied(), [true, false], 'what was said in between is left out')
      assert.ok(news.of(actionOf(first)).includes('reverted'))
      for (const { standing } of standings) await standing.close()
    }))

  test('that the disk does not take at once is taken later, without being said again', () =>
    withAspect('restriction', async ({ folder, machine, ground, news }) => {
      const file = postureFile(folder, 'restriction')
      let isFull = true
      const write = (state: Parameters<typeof file.write>[0]): Promise<void> =>
        isFull ? Promise.reject(new Error('full')) : file.write(state)
      const { control } = ground
      const given = { ...file, write }
      const standing = await openStanding({
        control,
        file: given,
        released: releasedFile(folder, 'restriction'),
        open: () => openPosture(folder, machine, { news, control, file: given }),
        syncSoon: () => undefined,
      })
      const postures = together([{ control, standing }], folder, () => undefined)
      await postures.take({ restriction: ground.full(1) })
      await standing.tick()
      assert.deepEqual(ground.applied(), [])
      isFull = false
      await standing.tick()
      assert.equal(ground.has(), true)
      await standing.close()
    }))
})
