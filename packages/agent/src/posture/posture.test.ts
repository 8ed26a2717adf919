/** How a host stands: what is taken, made so, confirmed, taken back and put back, over a kernel that only remembers. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import type { Posture as Document } from '@countermand/contract'
import { Machine, inFolder, newId } from '../testing/fakes.ts'
import { Told, free, full, openPosture } from '../testing/posture.ts'
import { barrierOf } from './barrier.ts'
import { postureFile } from './posture-file.ts'
import type { Posture, PostureParts } from './posture.ts'
import { releasedFile } from './released-file.ts'

const server = 'https://server.example'
const kernelOf = (document: Document) => barrierOf(document, server)
const actionOf = ({ isolation }: Document): string => isolation.action ?? ''

interface Trial {
  readonly folder: string
  readonly machine: Machine
  readonly news: Told
  readonly posture: Posture
  /** The next agent, over the same folder and kernel. */
  readonly again: (given?: Partial<PostureParts>) => Promise<Posture>
  /** Time passes, and the agent looks. */
  readonly later: (seconds: number, posture?: Posture) => Promise<void>
  /** An exchange that was sent now, and accepted. */
  readonly contact: (posture?: Posture) => Promise<void>
}

const withPosture = (
  run: (trial: Trial) => Promise<void>,
  given: Partial<PostureParts> = {},
): Promise<void> =>
  inFolder(async (folder) => {
    const machine = new Machine()
    const news = new Told()
    const again = (more: Partial<PostureParts> = {}): Promise<Posture> =>
      openPosture(folder, machine, { news, ...given, ...more })
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
    await run({ folder, machine, news, posture, again, later, contact })
    posture.close()
  })

/** It stands, confirmed. */
async function stand({ posture, contact }: Trial, document: Document): Promise<void> {
  await posture.take(document)
  await contact()
}

describe('a document', () => {
  test('that isolates is on disk before the kernel has it, is started, and stands once a later sync is answered', () =>
    withPosture(async ({ machine, news, posture, contact, folder }) => {
      const document = full(1)
      const onDisk: unknown[] = []
      machine.firewall.before = async () =>
        void onDisk.push((await postureFile(folder).read())?.candidate?.document)
      await posture.take(document)
      assert.deepEqual(onDisk, [document])
      assert.deepEqual(machine.firewall.kernel, kernelOf(document))
      assert.deepEqual(news.of(actionOf(document)), ['started'])
      assert.deepEqual(posture.report(), { taken: 1, stands: 0, isolation: { action: null, type: 'None' } })
      await contact()
      assert.deepEqual(news.of(actionOf(document)), ['started', 'finished succeeded'])
      const isolation = { action: actionOf(document), type: 'Full' as const }
      assert.deepEqual(posture.report(), { taken: 1, stands: 1, isolation })
    }))

  test('does not stand by an answer to what was sent before it was made so, or by an earlier agent', () =>
    withPosture(async ({ machine, news, posture }) => {
      const document = full(1)
      const before = machine.seconds
      await posture.take(document)
      for (const sentAt of [null, before - 1, before]) await posture.answered({ sentAt })
      assert.deepEqual(news.of(actionOf(document)), ['started'])
    }))

  test('that lifts stands as soon as the kernel has it, and its action has succeeded', () =>
    withPosture(async (trial) => {
      const [isolation, unisolation] = [full(1), free(2, [], newId())]
      await stand(trial, isolation)
      await trial.posture.take(unisolation)
      assert.equal(trial.machine.firewall.kernel, null)
      assert.deepEqual(trial.news.of(actionOf(unisolation)), ['started', 'finished succeeded'])
      assert.equal(trial.posture.report().stands, 2)
    }))

  test('is made so again by a later generation, a lower one, or the same with another content, and not by itself', () =>
    withPosture(async (trial) => {
      const { machine } = trial
      const first = full(5)
      await stand(trial, first)
      for (const next of [full(6), full(3), full(3)]) {
        await stand(trial, next)
        assert.deepEqual(machine.firewall.kernel, kernelOf(next))
        assert.deepEqual(trial.news.of(actionOf(next)), ['started', 'finished succeeded'])
      }
      const { length } = machine.firewall.applied
      await trial.posture.take({ ...first, generation: 3, isolation: full(3).isolation })
      assert.equal(machine.firewall.applied.length, length + 1)
    }))

  test('that stands is not made so again, and what is waited for is not taken twice', () =>
    withPosture(async (trial) => {
      const { machine, posture, contact } = trial
      const document = full(1)
      await posture.take(document)
      await posture.take(document)
      await contact()
      await posture.take(document)
      assert.equal(machine.firewall.applied.length, 1)
    }))

  test('of a new generation for the action that stands is told as succeeded again, and not as started', () =>
    withPosture(async (trial) => {
      const one = full(1)
      await stand(trial, one)
      await stand(trial, { ...one, generation: 2, server: ['192.0.2.9'] })
      assert.deepEqual(trial.news.of(actionOf(one)), ['started', 'finished succeeded', 'finished succeeded'])
    }))

  test('that is null changes nothing, also not on a host that never heard of any', () =>
    withPosture(async ({ machine, posture, folder }) => {
      await posture.take(null)
      assert.deepEqual(machine.firewall.applied, [])
      assert.equal(existsSync(join(folder, 'posture.json')), false)
    }))

  test('the confirmed one again takes back what was to follow it', () =>
    withPosture(async (trial) => {
      const [one, two] = [full(1), full(2)]
      await stand(trial, one)
      await trial.posture.take(two)
      await trial.posture.take(one)
      await trial.contact()
      assert.deepEqual(trial.machine.firewall.kernel, kernelOf(one))
      assert.deepEqual(trial.news.of(actionOf(two)), ['started'])
    }))

  test('that the disk does not take is not made so, and the order is asked for again', () =>
    withPosture(
      async ({ machine, posture }) => {
        await assert.rejects(posture.take(full(1)), /full/)
        assert.deepEqual(machine.firewall.applied, [])
      },
      { file: { read: () => Promise.resolve(null), write: () => Promise.reject(new Error('full')) } },
    ))
})

describe('a kernel that refuses', () => {
  test('an isolation is asked three times more, and then it has failed and what stood before stands', () =>
    withPosture(async (trial) => {
      const { machine, news, posture, later } = trial
      const [one, two] = [full(1), full(2)]
      await stand(trial, one)
      Object.assign(machine.firewall, { failing: 4, fails: (barrier: unknown) => barrier !== null })
      await posture.take(two)
      await later(2)
      assert.deepEqual(news.of(actionOf(two)), ['started'])
      await later(1)
      assert.deepEqual(news.of(actionOf(two)), ['started', 'finished failed'])
      assert.deepEqual(machine.firewall.kernel, kernelOf(one))
      assert.equal(posture.report().stands, 1)
      await stand(trial, two)
      assert.equal(posture.report().stands, 2, 'one that failed before is tried again')
    }))

  test('a release is asked for ever, and who waits for it hears once that it failed', () =>
    withPosture(async (trial) => {
      const { machine, news, posture, later } = trial
      const one = full(1)
      await stand(trial, one)
      machine.firewall.failing = 10
      await posture.take(free(2, [actionOf(one)]))
      await later(60)
      const told = news.of(actionOf(one)).slice(2)
      assert.deepEqual(told, ['cancel_acknowledged', 'revert_failed', 'reverted'])
      assert.equal(machine.firewall.kernel, null)
    }))
})

describe('without contact', () => {
  test('an isolation is taken back after 60 s, and has failed', () =>
    withPosture(async ({ machine, news, posture, later }) => {
      const document = full(1)
      await posture.take(document)
      await later(59)
      assert.deepEqual(machine.firewall.kernel, kernelOf(document))
      await later(1)
      assert.equal(machine.firewall.kernel, null)
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
      assert.deepEqual(trial.machine.firewall.kernel, kernelOf(one))
      assert.deepEqual(trial.posture.report().stands, 1)
    }))

  test('one that is to be kept stays, unconfirmed, until there is contact', () =>
    withPosture(async ({ machine, news, posture, later, contact }) => {
      const document = full(1, { confirm: 'keep' })
      await posture.take(document)
      await later(100)
      assert.deepEqual(machine.firewall.kernel, kernelOf(document))
      assert.deepEqual(news.of(actionOf(document)), ['started'])
      await contact()
      assert.deepEqual(news.of(actionOf(document)), ['started', 'finished succeeded'])
    }))

  test('the time runs on through a restart, and anew after another boot', () =>
    withPosture(async ({ machine, posture, later, again }) => {
      const document = full(1)
      await posture.take(document)
      posture.close()
      await later(0)
      machine.seconds += 50
      const second = await again()
      await later(9, second)
      assert.deepEqual(machine.firewall.kernel, kernelOf(document))
      second.close()
      machine.reboot()
      const third = await again()
      assert.deepEqual(machine.firewall.kernel, kernelOf(document))
      await later(59, third)
      assert.deepEqual(machine.firewall.kernel, kernelOf(document))
      await later(1, third)
      assert.equal(machine.firewall.kernel, null)
      third.close()
    }))

  test('a restart after the time is over puts back what stood before', () =>
    withPosture(async ({ machine, posture, again, news }) => {
      const document = full(1)
      await posture.take(document)
      posture.close()
      machine.seconds += 61
      const next = await again()
      assert.equal(machine.firewall.kernel, null)
      assert.deepEqual(news.of(actionOf(document)), ['started', 'finished failed'])
      next.close()
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
      assert.deepEqual(trial.machine.firewall.kernel, kernelOf(document))
      assert.deepEqual(trial.news.of(actionOf(document)), ['started', 'finished succeeded'])
      next.close()
    }))

  test('an agent that is new here leaves what it finds, until the first reply says how the host is to stand', () =>
    withPosture(async ({ machine, posture, later }) => {
      machine.firewall.kernel = kernelOf(full(7))
      await later(10)
      assert.deepEqual(machine.firewall.applied, [])
      await posture.take(free(0))
      assert.equal(machine.firewall.kernel, null)
    }))

  test('where nothing can be isolated, to be free takes nothing', () =>
    withPosture(async ({ machine, posture }) => {
      machine.firewall.missing = 'apt-get install nftables'
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
      assert.deepEqual(news.of(actionOf(one)).slice(2), ['cancel_acknowledged'])
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

  test('does not hear it while the kernel does not have what is on disk', () =>
    withPosture(async (trial) => {
      const id = newId()
      const one = full(1)
      await stand(trial, one)
      trial.posture.close()
      trial.machine.reboot()
      trial.machine.firewall.failing = 2
      const next = await trial.again()
      await next.take({ ...one, withdrawn: [id] })
      assert.deepEqual(trial.news.of(id), ['cancel_acknowledged'])
      await trial.later(3, next)
      assert.deepEqual(trial.news.of(id), ['cancel_acknowledged', 'reverted'])
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

test('a host that must not be isolated says why, and stands free', () =>
  withPosture(
    async (trial) => {
      const { machine, news, posture } = trial
      const document = full(1)
      for (const _ of [1, 2, 3, 4]) {
        await posture.take(document)
        news.acknowledge()
      }
      assert.equal(machine.firewall.kernel, null)
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
      const { machine, news, folder, later, posture } = trial
      const one = full(4)
      await stand(trial, one)
      await releasedFile(folder).write({ generation: 4, nonce: 'n', at: 'now' })
      machine.firewall.flush()
      await later(10)
      assert.equal(machine.firewall.kernel, null)
      assert.deepEqual(news.of(actionOf(one)).slice(2), ['released'])
      assert.deepEqual(posture.report(), { taken: 0, stands: 0, isolation: { action: null, type: 'None' } })
      assert.equal(await releasedFile(folder).read(), null)
      await stand(trial, one)
      assert.deepEqual(machine.firewall.kernel, kernelOf(one))
      assert.deepEqual(news.of(actionOf(one)).slice(3), ['started', 'finished succeeded'])
    }))

  test('while no agent ran, it is taken in by the next before it would put anything back', () =>
    withPosture(async (trial) => {
      const one = full(4)
      await stand(trial, one)
      trial.posture.close()
      await releasedFile(trial.folder).write({ generation: 4, nonce: 'n', at: 'now' })
      trial.machine.firewall.flush()
      const next = await trial.again()
      assert.equal(trial.machine.firewall.kernel, null)
      assert.deepEqual(trial.news.of(actionOf(one)).slice(2), ['released'])
      assert.ok(!trial.machine.firewall.applied.slice(1).some((barrier) => barrier !== null))
      next.close()
    }))
})
