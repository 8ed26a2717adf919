/** Stop and quarantine, whole: real processes and files, an agent without a server, orders given by hand. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { CommandOutcome, News } from '@countermand/contract'
import { describe, test } from 'vitest'
import { needs } from '../../../../test/needs.ts'
import { lookAt, makeProgram, sha1Of, stateOf as letterOf } from '../host/quarantine/testing/scratch.ts'
import { Machine, inFolder, newId, until } from '../testing/fakes.ts'
import { openParts, type Parts, type PartsOptions } from '../testing/parts.ts'

interface Stage {
  readonly parts: Parts
  readonly machine: Machine
  readonly id: string
  /** The agent's. */
  readonly folder: string
  /** The only place where files are looked for. */
  readonly place: string
  /** A program that nobody else has, and its hash. */
  readonly evil: string
  readonly sha1: string
  readonly start: (path?: string) => Promise<ChildProcess>
  /** Another agent on the same folder. */
  readonly reopen: (options?: PartsOptions) => Promise<Parts>
  readonly order: (packaged?: boolean, runLimitMs?: number) => Promise<void>
}

const staged = (play: (stage: Stage) => Promise<void>, options: PartsOptions = {}): Promise<void> =>
  inFolder(async (own) => {
    const [folder, place] = [join(own, 'agent'), join(own, 'place')]
    for (const each of [folder, place]) mkdirSync(each)
    const evil = join(place, 'evil')
    const sha1 = makeProgram(evil, 0o4755)
    const machine = new Machine()
    machine.searchIn = [place]
    const started: ChildProcess[] = []
    const opened: Parts[] = []
    const reopen = async (more: PartsOptions = {}): Promise<Parts> => {
      const parts = await openParts(folder, machine, more)
      opened.push(parts)
      return parts
    }
    const parts = await reopen(options)
    const id = newId()
    const order = (packaged = false, runLimitMs = 600_000): Promise<void> =>
      parts.order({
        offers: [{ id, type: 'StopAndQuarantineFile', parameters: { sha1, packaged }, runLimitMs }],
      })
    const start = async (path = evil): Promise<ChildProcess> => {
      const child = spawn(path, ['60'], { stdio: 'ignore' })
      started.push(child)
      await once(child, 'spawn')
      return child
    }
    try {
      await play({ parts, machine, id, folder, place, evil, sha1, start, reopen, order })
    } finally {
      for (const child of started) child.kill('SIGKILL')
      for (const each of opened) await each.runner.shutdown()
    }
  })

const stepOf = (news: News): CommandOutcome => {
  const [step] = 'commands' in news ? news.commands : []
  assert.ok(step, JSON.stringify(news))
  return step
}
const wordsOf = (news: News): string => stepOf(news).errors.join('\n')
const outcomeOf = (news: News): string => (news.kind === 'finished' ? news.outcome : news.kind)
const isDead = ({ signalCode }: ChildProcess): boolean => signalCode === 'SIGKILL'
const stateOf = ({ pid }: ChildProcess): string => letterOf(pid)

describe.skipIf(!needs('root'))('a quarantine', () => {
  test('kills what runs from the file, takes it away under all its names, and tells both', () =>
    staged(async ({ parts, id, place, evil, sha1, start, order }) => {
      mkdirSync(join(place, 'a'))
      const names = [evil, join(place, 'link'), join(place, 'a', 'copy\n')]
      linkSync(evil, names[1] ?? '')
      copyFileSync(evil, names[2] ?? '')
      writeFileSync(join(place, 'innocent'), 'innocent')
      const children = [await start(), await start(names[1])]
      await order()
      const outcome = await parts.outcome(id)
      assert.equal(outcomeOf(outcome), 'succeeded', wordsOf(outcome))
      await until('both to be dead', () => children.every(isDead))
      assert.deepEqual(readdirSync(place).toSorted(), ['a', 'innocent'])
      assert.deepEqual(readdirSync(join(place, 'a')), [])
      const { files = [], killed = [] } = stepOf(outcome).quarantined ?? {}
      assert.deepEqual(files.flatMap(({ paths }) => paths).toSorted(), names.toSorted())
      assert.deepEqual(
        killed.map(({ pid, path }) => `${pid} ${path}`).toSorted(),
        children.map(({ pid }, index) => `${pid} ${names[index]}`).toSorted(),
      )
      assert.deepEqual(
        (await parts.host.quarantine.list(id)).map((item) => item.sha1),
        [sha1, sha1],
      )
    }))

  test('of a program that is being started again and again ends with its file', () =>
    staged(async ({ parts, id, evil, start, order }) => {
      const again = async (): Promise<void> => {
        for (;;) {
          // Until there is none any more.
          const child = await start().catch(() => null)
          if (child === null) return
          await once(child, 'exit')
        }
      }
      const starting = again()
      await order()
      const outcome = await parts.outcome(id)
      await starting
      assert.equal(outcomeOf(outcome), 'succeeded', wordsOf(outcome))
      assert.equal(existsSync(evil), false)
    }))

  test('kills what runs from a file that was removed, and says that there is no file', () =>
    staged(async ({ parts, id, evil, start, order }) => {
      const child = await start()
      rmSync(evil)
      await order()
      const outcome = await parts.outcome(id)
      assert.equal(outcomeOf(outcome), 'succeeded')
      assert.match(wordsOf(outcome), /no file with this hash was found/)
      await until('it to be dead', () => isDead(child))
    }))

  test('of what is nowhere fails, and says so', () =>
    staged(async ({ parts, id, evil, order }) => {
      rmSync(evil)
      await order()
      const outcome = await parts.outcome(id)
      assert.equal(outcomeOf(outcome), 'failed')
      assert.match(wordsOf(outcome), /nothing runs from a file with this hash, and none was found/)
    }))

  test('of a file of a package fails before anything is killed', () =>
    staged(async ({ parts, id, evil, start, order }) => {
      const child = await start()
      const { byHash } = parts.host
      Object.assign(byHash, {
        whosePackage: () => Promise.resolve(`${evil} belongs to the package evil-utils`),
      })
      await order()
      const outcome = await parts.outcome(id)
      assert.equal(outcomeOf(outcome), 'failed')
      assert.match(
        wordsOf(outcome),
        /belongs to the package evil-utils and is not taken away; .*quarantinePackaged/,
      )
      assert.equal(child.signalCode, null)
      assert.notEqual(stateOf(child), 'T')
      assert.equal(existsSync(evil), true)
      assert.deepEqual(stepOf(outcome).quarantined, { files: [], killed: [] })
    }))

  test('of a copy of a program of a package fails before anything is killed', () =>
    staged(async ({ parts, id, evil, start, order }) => {
      const child = await start()
      const twin = '/usr/bin/evil-utils'
      Object.assign(parts.host.byHash, {
        files: (where: string, { size }: { size: number }) => {
          assert.deepEqual([where, size], ['programs', readFileSync(evil).length])
          return Promise.resolve({
            found: [{ path: Buffer.from(twin), inode: '1:1', size }],
            isThrough: true,
          })
        },
        whosePackage: (paths: readonly Uint8Array[]) =>
          Promise.resolve(
            paths.some((path) => Buffer.from(path).toString() === twin)
              ? `${twin} belongs to a package`
              : null,
          ),
      })
      await order()
      const outcome = await parts.outcome(id)
      assert.equal(outcomeOf(outcome), 'failed')
      assert.match(wordsOf(outcome), /evil-utils belongs to a package/)
      assert.equal(child.signalCode, null)
      assert.equal(existsSync(evil), true)
    }))

  test('that is forced takes a file whosever it is', () =>
    staged(async ({ parts, id, evil, order }) => {
      Object.assign(parts.host.byHash, { whosePackage: () => Promise.resolve('it belongs to a package') })
      await order(true)
      assert.equal(outcomeOf(await parts.outcome(id)), 'succeeded')
      assert.equal(existsSync(evil), false)
    }))

  test.each([
    ['this agent’s own runtime', () => sha1Of(readFileSync('/proc/self/exe')), /this agent runs from it/],
    ['an empty file', () => 'da39a3ee5e6b4b0d3255bfef95601890afd80709', /hash of an empty file/],
  ])('of %s is not begun, forced or not', (_what, hash, words) =>
    staged(async ({ parts, id, place }) => {
      writeFileSync(join(place, 'empty'), '')
      const parameters = { sha1: hash(), packaged: true }
      await parts.order({ offers: [{ id, type: 'StopAndQuarantineFile', parameters, runLimitMs: 600_000 }] })
      const outcome = await parts.outcome(id)
      assert.equal(outcomeOf(outcome), 'failed')
      assert.match(wordsOf(outcome), words)
      assert.equal(stepOf(outcome).startedAt, null)
      assert.equal(existsSync(join(place, 'empty')), true)
    }),
  )

  test('that takes longer than its limit ends by that, and lets go on what it had stopped', () =>
    staged(async ({ parts, id, evil, start, order }) => {
      const child = await start()
      await order(false, 1)
      const outcome = await parts.outcome(id)
      assert.equal(outcomeOf(outcome), 'timed_out')
      assert.match(wordsOf(outcome), /ended by its limit of 0.001 seconds/)
      assert.notEqual(stateOf(child), 'T')
      assert.equal(existsSync(evil), true)
    }))

  test('that cannot take one file away puts back those that it had, and says whom it had killed', () =>
    staged(async ({ parts, id, place, evil, start, order }) => {
      const before = lookAt(evil)
      copyFileSync(evil, join(place, 'other'))
      await start()
      const { quarantine } = parts.host
      const take = quarantine.take.bind(quarantine)
      Object.assign(quarantine, {
        take: (path: Uint8Array, about: Parameters<typeof take>[1]) =>
          Buffer.from(path).toString().endsWith('other')
            ? Promise.reject(new Error('other could not be taken away: the disk of the quarantine is full'))
            : take(path, about),
      })
      await order()
      const outcome = await parts.outcome(id)
      assert.equal(outcomeOf(outcome), 'failed')
      assert.match(
        wordsOf(outcome),
        /disk of the quarantine is full\nwhat had been taken away is back.*\n1 of its processes had been killed/,
      )
      assert.deepEqual(lookAt(evil), before)
      const { files, killed } = stepOf(outcome).quarantined ?? {}
      assert.deepEqual([files, killed?.length], [[], 1])
    }))
})

/** Stops at a moment until it is let go. */
function gate(): {
  readonly at: Promise<void>
  readonly wait: () => Promise<void>
  readonly open: () => void
} {
  const [at, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()]
  return { at: at.promise, open: go.resolve, wait: () => (at.resolve(), go.promise) }
}

/** Holds an agent before one of its calls. */
const heldBefore = (part: string, call: string, held: ReturnType<typeof gate>): PartsOptions => ({
  wrap: (one, name) =>
    name === part
      ? new Proxy(one, {
          get: (target, key) => {
            const value: unknown = Reflect.get(target, key)
            if (key !== call || typeof value !== 'function') return value
            return async (...args: unknown[]) => {
              // What is looked at before anything is killed is not the search.
              if (args[0] !== 'programs') await held.wait()
              return Reflect.apply(value, target, args) as unknown
            }
          },
        })
      : one,
})

describe.skipIf(!needs('root'))('a cancel of a quarantine', () => {
  test.each([
    ['before anything was stopped', 'running', false],
    ['when it is about to stop something', 'freeze', false],
    ['when it is about to kill', 'kill', true],
    ['while it looks for files', 'files', true],
  ] as const)('%s ends with the file in its place, and nothing stopped', (_when, call, isKilled) => {
    const held = gate()
    return staged(
      async ({ parts, id, evil, start, order }) => {
        const before = lookAt(evil)
        const child = await start()
        await order()
        await held.at
        await Promise.all([parts.order({ cancels: [id] }), parts.order({ cancels: [id] })])
        held.open()
        const outcome = await parts.outcome(id)
        assert.equal(outcome.kind, 'reverted', wordsOf(outcome))
        assert.deepEqual(lookAt(evil), before)
        const { files, killed = [] } = stepOf(outcome).quarantined ?? {}
        assert.deepEqual(files, [])
        assert.deepEqual(
          killed.map(({ pid }) => pid),
          isKilled ? [child.pid] : [],
        )
        if (isKilled) await until('it to be dead', () => isDead(child))
        else await until('it to run', () => !'Tt'.includes(stateOf(child)))
      },
      heldBefore('byHash', call, held),
    )
  })

  test('lets go on what an agent had stopped that died then', () => {
    const [first, second] = [gate(), gate()]
    return staged(
      async ({ parts: _dead, id, evil, start, order, reopen }) => {
        const child = await start()
        await order()
        await first.at
        assert.equal(stateOf(child), 'T')
        const next = await reopen(heldBefore('byHash', 'freeze', second))
        await second.at
        await next.order({ cancels: [id] })
        second.open()
        assert.equal((await next.outcome(id)).kind, 'reverted')
        await until('it to run', () => stateOf(child) !== 'T')
        assert.equal(existsSync(evil), true)
        child.kill('SIGKILL')
        first.open()
      },
      heldBefore('byHash', 'kill', first),
    )
  })

  test('after its end puts the files back all the same', () =>
    staged(async ({ parts, id, evil, order }) => {
      const before = lookAt(evil)
      await order()
      assert.equal(outcomeOf(await parts.outcome(id)), 'succeeded')
      assert.equal(existsSync(evil), false)
      await parts.order({ cancels: [id] })
      await until('the word of it', () => parts.told(id).some(({ kind }) => kind === 'reverted'))
      assert.deepEqual(lookAt(evil), before)
      assert.deepEqual(
        parts.told(id).map(({ kind }) => kind),
        ['started', 'finished', 'cancel_acknowledged', 'reverted'],
      )
      await parts.order({ cancels: [id] })
      assert.deepEqual(lookAt(evil), before, 'and twice does no harm')
    }))

  test('after its end is made good by the next agent, whose predecessor died over it', () =>
    staged(async ({ parts, id, evil, order, reopen }) => {
      const before = lookAt(evil)
      await order()
      assert.equal(outcomeOf(await parts.outcome(id)), 'succeeded')
      await parts.runner.shutdown()
      await parts.journal.takeCancel(id, { at: '2026-02-03T04:05:06Z', graceMs: 0 })
      const next = await reopen()
      await until('the word of it', () => next.told(id).some(({ kind }) => kind === 'reverted'))
      assert.deepEqual(lookAt(evil), before)
    }))

  test('leaves a file in quarantine whose place is taken, and says where', () =>
    staged(async ({ parts, id, evil, order }) => {
      await order()
      await parts.outcome(id)
      writeFileSync(evil, 'a stranger')
      await parts.order({ cancels: [id] })
      await until('the word of it', () => parts.told(id).some(({ kind }) => kind === 'revert_failed'))
      const told = parts.told(id).find(({ kind }) => kind === 'revert_failed')
      assert.match(
        told?.kind === 'revert_failed' ? told.residues.join() : '',
        /evil is not back: .* stays in quarantine as/,
      )
      assert.equal(readFileSync(evil, 'utf8'), 'a stranger')
      assert.equal((await parts.host.quarantine.list(id)).length, 1)
    }))

  test('of what somebody has put back on the host meanwhile is proven as well', () =>
    staged(async ({ parts, id, evil, order }) => {
      await order()
      await parts.outcome(id)
      for (const item of await parts.host.quarantine.list(id)) await parts.host.quarantine.putBack(item.id)
      await parts.order({ cancels: [id] })
      await until('the word of it', () => parts.told(id).some(({ kind }) => kind === 'reverted'))
      assert.equal(existsSync(evil), true)
    }))
})
