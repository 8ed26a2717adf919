/** Somebody else changes what stands: it is seen, put back and told, and lifting it on the spot is none of that. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import type { News, Posture as Document } from '@countermand/contract'
import { Machine, inFolder, until } from '../testing/fakes.ts'
import { Told, free, full, openPosture } from '../testing/posture.ts'
import { barrierOf } from './barrier.ts'
import type { Posture } from './posture.ts'
import { releasedFile } from './released-file.ts'

const kernelOf = (document: Document) => barrierOf(document, 'https://server.example')

interface Trial {
  readonly machine: Machine
  readonly news: Told
  readonly posture: Posture
  readonly document: Document
  readonly folder: string
  readonly later: (seconds: number) => Promise<void>
  readonly drifts: () => string[]
}

/** A host that is isolated, confirmed. */
const whileIsolated = (run: (trial: Trial) => Promise<void>): Promise<void> =>
  inFolder(async (folder) => {
    const machine = new Machine()
    const news = new Told()
    const posture = await openPosture(folder, machine, { news })
    const document = full(1)
    await posture.take(document)
    machine.seconds += 1
    await posture.answered({ sentAt: machine.seconds })
    const later = async (seconds: number): Promise<void> => {
      for (let passed = 0; passed < seconds; passed += 1) {
        machine.seconds += 1
        await posture.tick()
      }
    }
    const isDrift = (item: News) => item.kind === 'drifted' && item.action === document.isolation.action
    const drifts = (): string[] =>
      news.items.filter(isDrift).map((item) => (item.kind === 'drifted' ? item.detail : ''))
    await run({ machine, news, posture, document, folder, later, drifts })
    posture.close()
    assert.equal(machine.firewall.watching, 0)
  })

test('rules that are flushed are put back at once, and told', () =>
  whileIsolated(async ({ machine, document, drifts }) => {
    machine.firewall.flush()
    await until('the rules to be back', () => machine.firewall.kernel !== null)
    assert.deepEqual(machine.firewall.kernel, kernelOf(document))
    await until('it to be told', () => drifts().length === 1)
    assert.deepEqual(drifts(), ['the table is gone'])
  }))

test('what nobody has called about is seen within 5 s', () =>
  whileIsolated(async ({ machine, document, later, drifts }) => {
    machine.firewall.kernel = kernelOf(full(9))
    await later(5)
    assert.deepEqual(machine.firewall.kernel, kernelOf(document))
    assert.deepEqual(drifts(), ['the table is another'])
  }))

test('who fights is told of once in 10 s, and counted', () =>
  whileIsolated(async ({ machine, posture, later, drifts }) => {
    for (let times = 0; times < 5; times += 1) {
      machine.firewall.flush()
      await posture.tick()
      await later(1)
    }
    assert.equal(drifts().length, 1)
    await later(6)
    assert.deepEqual(drifts(), ['the table is gone', 'the table is gone (4 times since it was told last)'])
  }))

test('where it cannot be put back it is tried every second, and told once', () =>
  whileIsolated(async ({ machine, document, posture, later, drifts }) => {
    machine.firewall.failing = 8
    machine.firewall.flush()
    await posture.tick()
    await later(7)
    assert.equal(machine.firewall.kernel, null)
    await later(1)
    assert.deepEqual(machine.firewall.kernel, kernelOf(document))
    assert.deepEqual(drifts(), ['the table is gone; it could not be put back yet'])
  }))

test('an exchange that came through while the barrier was away confirms nothing', () =>
  whileIsolated(async ({ machine, posture, news }) => {
    const next = full(2)
    await posture.take(next)
    machine.firewall.kernel = null
    machine.seconds += 1
    await posture.answered({ sentAt: machine.seconds })
    assert.deepEqual(news.of(next.isolation.action ?? ''), ['started', 'drifted'])
    assert.deepEqual(machine.firewall.kernel, kernelOf(next))
    machine.seconds += 1
    await posture.answered({ sentAt: machine.seconds })
    assert.deepEqual(news.of(next.isolation.action ?? ''), ['started', 'drifted', 'finished succeeded'])
  }))

test('a release on the spot that comes between the look and the repair is no drift', () =>
  whileIsolated(async ({ machine, posture, folder, drifts }) => {
    const real = machine.firewall.difference.bind(machine.firewall)
    machine.firewall.difference = async (barrier) => {
      await releasedFile(folder).write({ generation: 1, nonce: 'n', at: 'now' })
      machine.firewall.kernel = null
      return real(barrier)
    }
    machine.seconds += 5
    await posture.tick()
    assert.equal(machine.firewall.kernel, null)
    assert.deepEqual(drifts(), [])
  }))

test('nobody is watched where nothing isolates', () =>
  whileIsolated(async ({ machine, posture, later, drifts }) => {
    assert.equal(machine.firewall.watching, 1)
    await posture.take(free(2))
    assert.equal(machine.firewall.watching, 0)
    machine.firewall.flush()
    await later(5)
    assert.deepEqual(drifts(), [])
  }))
