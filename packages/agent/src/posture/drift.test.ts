/** Somebody else changes what stands: it is seen, put back and told, and lifting it on the spot is none of that. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { aspects, type Aspect, type News, type Posture as Document } from '@countermand/contract'
import { Machine, inFolder, until } from '../testing/fakes.ts'
import { Told, full, grounds, openPosture, type Ground } from '../testing/posture.ts'
import type { Posture } from './posture.ts'
import { releasedFile } from './released-file.ts'

interface Trial {
  readonly machine: Machine
  readonly ground: Ground
  readonly news: Told
  readonly posture: Posture
  readonly document: Document
  readonly folder: string
  readonly later: (seconds: number) => Promise<void>
  readonly drifts: () => string[]
}

/** A host that stands so, confirmed. */
const whileStanding = (aspect: Aspect, run: (trial: Trial) => Promise<void>): Promise<void> =>
  inFolder(async (folder) => {
    const machine = new Machine()
    const news = new Told()
    const ground = grounds[aspect](machine)
    const posture = await openPosture(folder, machine, { news, control: ground.control })
    const document = ground.full(1)
    await posture.take(document)
    machine.seconds += 1
    await posture.answered({ sentAt: machine.seconds })
    const later = async (seconds: number): Promise<void> => {
      for (let passed = 0; passed < seconds; passed += 1) {
        machine.seconds += 1
        await posture.tick()
      }
    }
    const isDrift = (item: News) => item.kind === 'drifted' && item.action === document.action
    const drifts = (): string[] =>
      news.items.filter(isDrift).map((item) => (item.kind === 'drifted' ? item.detail : ''))
    await run({ machine, ground, news, posture, document, folder, later, drifts })
    await posture.close()
    assert.equal(ground.watching(), 0)
  })

describe.each(aspects)('%s:', (aspect) => {
  const standing = (run: (trial: Trial) => Promise<void>): Promise<void> => whileStanding(aspect, run)

  test('what is taken away is put back at once, and told', () =>
    standing(async ({ ground, document, drifts }) => {
      ground.takeAway()
      await until('it to be told', () => drifts().length === 1)
      assert.deepEqual(ground.has(), ground.as(document))
      assert.deepEqual(drifts(), [ground.gone])
    }))

  test('what nobody has called about is seen within 5 s', () =>
    standing(async ({ ground, document, later, drifts }) => {
      ground.takeAway(false)
      await later(5)
      assert.deepEqual(ground.has(), ground.as(document))
      assert.deepEqual(drifts(), [ground.gone])
    }))

  test('who fights is told of once in 10 s, and counted', () =>
    standing(async ({ ground, posture, later, drifts }) => {
      for (let times = 0; times < 5; times += 1) {
        ground.takeAway()
        await posture.tick()
        await later(1)
      }
      assert.equal(drifts().length, 1)
      await later(6)
      assert.deepEqual(drifts(), [ground.gone, `${ground.gone} (4 times since it was told last)`])
    }))

  test('where it cannot be put back it is tried every second, and told once', () =>
    standing(async ({ ground, document, posture, later, drifts }) => {
      ground.refuse(8)
      ground.takeAway()
      await posture.tick()
      await later(7)
      assert.notDeepEqual(ground.has(), ground.as(document))
      await later(1)
      assert.deepEqual(ground.has(), ground.as(document))
      assert.deepEqual(drifts(), [`${ground.gone}; it could not be put back yet`])
    }))

  test('a release on the spot that comes between the look and the repair is no drift', () =>
    inFolder(async (folder) => {
      const machine = new Machine()
      const news = new Told()
      const ground = grounds[aspect](machine)
      const released = releasedFile(folder, aspect)
      let isLifting = false
      const difference = async (document: Document): Promise<string | null> => {
        if (isLifting) {
          await released.write({ nonce: 'n', at: 'now' })
          ground.takeAway(false)
        }
        return ground.control.difference(document)
      }
      const control = { ...ground.control, difference }
      const posture = await openPosture(folder, machine, { news, control })
      await posture.take(ground.full(1))
      isLifting = true
      machine.seconds += 5
      await posture.tick()
      assert.deepEqual(ground.has(), ground.as(ground.free(0)))
      assert.ok(!news.items.some(({ kind }) => kind === 'drifted'))
      await posture.close()
    }))

  test('nobody is watched where nothing stands', () =>
    standing(async ({ ground, posture, later, drifts }) => {
      assert.equal(ground.watching(), 1)
      await posture.take(ground.free(2))
      assert.equal(ground.watching(), 0)
      ground.takeAway()
      await later(5)
      assert.deepEqual(drifts(), [])
    }))
})

test('rules that are others than they should be are put right within 5 s', () =>
  whileStanding('isolation', async ({ machine, ground, document, later, drifts }) => {
    Object.assign(machine.firewall, { kernel: ground.as(full(9)) })
    await later(5)
    assert.deepEqual(ground.has(), ground.as(document))
    assert.deepEqual(drifts(), ['the table is another'])
  }))

test('an exchange that came through while the barrier was away confirms nothing', () =>
  whileStanding('isolation', async ({ machine, ground, posture, news }) => {
    const next = full(2)
    await posture.take(next)
    ground.takeAway(false)
    machine.seconds += 1
    await posture.answered({ sentAt: machine.seconds })
    assert.deepEqual(news.of(next.action ?? ''), ['started', 'drifted'])
    assert.deepEqual(ground.has(), ground.as(next))
    machine.seconds += 1
    await posture.answered({ sentAt: machine.seconds })
    assert.deepEqual(news.of(next.action ?? ''), ['started', 'drifted', 'finished succeeded'])
  }))
