/** Real processes and real files, found by their hash. Nothing but what a test has made has one that is looked for. */
import assert from 'node:assert/strict'
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { linkSync, mkdirSync, readFileSync, realpathSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { needs } from '../../../../../test/needs.ts'
import { findProcess } from '../scope/processes.ts'
import { openByHash } from './by-hash.ts'
import { eachOnce, mountsIn } from './mounts.ts'
import { whosePackage } from './packages.ts'
import { inScratch, makeProgram, sha1Of, stateOf } from './testing/scratch.ts'
import type { ByHash, Search, Searched } from './types.ts'

const none = new AbortController().signal
/** Of what runs on this host: to hash it once is enough. */
const known = new Map<string, string>()

async function withProgram(
  play: (made: {
    byHash: ByHash
    path: string
    sha1: string
    start: () => Promise<ChildProcess>
  }) => Promise<void>,
): Promise<void> {
  const started: ChildProcess[] = []
  await inScratch(async ({ near, folder }) => {
    const path = join(near, 'evil')
    const sha1 = makeProgram(path)
    const start = async (): Promise<ChildProcess> => {
      const child = spawn(path, ['60'], { stdio: 'ignore' })
      started.push(child)
      await once(child, 'spawn')
      return child
    }
    const byHash = openByHash(
      { except: folder, within: [near], startingPlaces: () => Promise.resolve([]) },
      known,
    )
    await play({ byHash, path, sha1, start })
  }).finally(() => {
    for (const child of started) child.kill('SIGKILL')
  })
}

describe.skipIf(!needs('root'))('what runs', () => {
  test('is found by the hash of its executable, with where that is', () =>
    withProgram(async ({ byHash, path, sha1, start }) => {
      assert.deepEqual(await byHash.running(sha1, none), [])
      const [one, two] = [await start(), await start()]
      const found = await byHash.running(sha1, none)
      assert.deepEqual(
        found.map(({ pid }) => pid).toSorted((a, b) => a - b),
        [one.pid ?? 0, two.pid ?? 0].toSorted((a, b) => a - b),
      )
      const [first] = found
      assert.equal(first?.command, `${path} 60`)
      assert.equal(Buffer.from(first?.path ?? []).toString(), path)
      assert.equal(first?.startedAt, findProcess(first?.pid ?? 0)?.startedAt)
    }))

  test('is found when its file has been removed, or replaced by another', () =>
    withProgram(async ({ byHash, path, sha1, start }) => {
      const child = await start()
      rmSync(path)
      writeFileSync(path, 'another')
      const [found] = await byHash.running(sha1, none)
      assert.deepEqual([found?.pid, found?.path], [child.pid, null])
    }))

  test('is stopped, and goes on when it is let go', () =>
    withProgram(async ({ byHash, sha1, start }) => {
      const child = await start()
      const [found] = await byHash.running(sha1, none)
      assert.ok(found)
      assert.equal(await byHash.freeze(found, sha1), true)
      assert.equal(stateOf(child.pid), 'T')
      byHash.thaw(found)
      assert.notEqual(stateOf(child.pid), 'T')
    }))

  test('and was stopped before stays so', () =>
    withProgram(async ({ byHash, sha1, start }) => {
      const child = await start()
      child.kill('SIGSTOP')
      const found = (await byHash.running(sha1, none))[0]
      assert.equal(found?.wasStopped, true)
      if (found !== undefined) byHash.thaw(found)
      assert.equal(stateOf(child.pid), 'T')
    }))

  test('and is another process by now, under the same pid, is left alone', () =>
    withProgram(async ({ byHash, sha1, start }) => {
      const child = await start()
      const [found] = await byHash.running(sha1, none)
      assert.ok(found)
      const earlier = { ...found, startedAt: found.startedAt - 1 }
      assert.equal(await byHash.freeze(earlier, sha1), false)
      await byHash.kill(earlier)
      assert.equal(byHash.isAlive(earlier), false)
      assert.equal(byHash.isAlive(found), true)
      assert.notEqual(stateOf(child.pid), 'T')
    }))

  test('and executes something else by the time it is stopped goes on', () =>
    withProgram(async ({ byHash, sha1, start }) => {
      const child = await start()
      const [found] = await byHash.running(sha1, none)
      assert.ok(found)
      assert.equal(await byHash.freeze(found, 'f'.repeat(40)), false)
      assert.notEqual(stateOf(child.pid), 'T')
    }))

  test('is killed, and gone when that is said', () =>
    withProgram(async ({ byHash, sha1, start }) => {
      await start()
      const [found] = await byHash.running(sha1, none)
      assert.ok(found)
      await byHash.freeze(found, sha1)
      await byHash.kill(found)
      assert.equal(byHash.isAlive(found), false)
      assert.deepEqual(await byHash.running(sha1, none), [])
    }))
})

describe.skipIf(!needs('root'))('what is never stopped', () => {
  const byHash = openByHash(
    { except: '/nowhere', within: [], startingPlaces: () => Promise.resolve([]) },
    known,
  )
  test.each([
    ['this very agent', '/proc/self/exe', /this agent runs from it/],
    ['what this agent was started by', `/proc/${process.ppid}/exe`, /runs from it/],
  ])('is %s', async (_what, path, words) => {
    assert.match((await byHash.whyNever(sha1Of(readFileSync(path)))) ?? '', words)
  })
  test('is nothing else', async () => assert.equal(await byHash.whyNever('f'.repeat(40)), null))
})

const search = (sha1: string, more: Partial<Search> = {}): Search => ({
  sha1,
  size: null,
  signal: none,
  withinMs: 60_000,
  look: () => undefined,
  ...more,
})
const pathsOf = ({ found }: Searched): readonly string[] =>
  found.map(({ path }) => Buffer.from(path).toString('latin1')).toSorted()

const searcher = (within: readonly string[], except = '/nowhere'): ByHash =>
  openByHash({ except, within, startingPlaces: () => Promise.resolve([]) })

describe('files', () => {
  const content = 'what is wanted\n'
  const sha1 = sha1Of(content)
  test('are found by their hash in every folder, under any name, hard links as well', () =>
    inScratch(async ({ near }) => {
      const deep = join(near, 'a', 'b')
      mkdirSync(deep, { recursive: true })
      const odd = Buffer.concat([Buffer.from(`${deep}/x\ny`), Buffer.from([0xff])])
      writeFileSync(odd, content)
      writeFileSync(join(near, 'one'), content)
      linkSync(join(near, 'one'), join(near, 'two'))
      for (let n = 0; n < 100; n += 1) writeFileSync(join(near, `other${n}`), `${n} ${content}`)
      const searched = await searcher([near]).files('full', search(sha1))
      assert.deepEqual(pathsOf(searched), [odd.toString('latin1'), join(near, 'one'), join(near, 'two')])
      assert.deepEqual([searched.files, searched.isThrough], [103, true])
      const inodes = new Map(searched.found.map((file) => [Buffer.from(file.path).toString(), file.inode]))
      assert.equal(inodes.get(join(near, 'one')), inodes.get(join(near, 'two')))
    }))

  test('of another size are not read, where the size is known', () =>
    inScratch(async ({ near }) => {
      writeFileSync(join(near, 'one'), content)
      const found = async (size: number) =>
        pathsOf(await searcher([near]).files('full', search(sha1, { size })))
      assert.deepEqual(await found(content.length), [join(near, 'one')])
      assert.deepEqual(await found(content.length + 1), [])
    }))

  test('in quarantine, links, and what is no plain file are passed over', () =>
    inScratch(async ({ near, folder }) => {
      for (const place of [near, folder]) {
        mkdirSync(place, { recursive: true })
        writeFileSync(join(place, 'one'), content)
      }
      symlinkSync(join(near, 'one'), join(near, 'link'))
      symlinkSync(folder, join(near, 'folder'))
      const above = join(near, '..')
      assert.deepEqual(pathsOf(await searcher([above], folder).files('full', search(sha1))), [
        join(near, 'one'),
      ])
    }))

  test('are looked for no longer than it is said, and no longer than wanted', () =>
    inScratch(async ({ near }) => {
      writeFileSync(join(near, 'one'), content)
      const over = await searcher([near]).files('full', search(sha1, { withinMs: 0 }))
      assert.equal(over.isThrough, false)
      const cancelled = AbortSignal.abort(new Error('cancelled'))
      await assert.rejects(searcher([near]).files('full', search(sha1, { signal: cancelled })), /cancelled/)
    }))

  test('are told of while they are looked at', () =>
    inScratch(async ({ near }) => {
      writeFileSync(join(near, 'a\nb'), content)
      const seen: string[] = []
      await searcher([near]).files('full', search(sha1, { look: (_share, line) => void seen.push(line) }))
      assert.deepEqual(seen, [`${near}/a\\u{a}b`])
    }))
})

const line = (device: string, root: string, place: string, type = 'ext4'): string =>
  `7 1 ${device} ${root} ${place} ${type === 'squashfs' ? 'ro' : 'rw'},relatime shared:1 - ${type} /dev/x rw`

test('a program of the system is found where packages put programs', async () => {
  const everywhere = openByHash({
    except: '/nowhere',
    within: null,
    startingPlaces: () => Promise.resolve([]),
  })
  const path = realpathSync('/bin/sleep')
  const content = readFileSync(path)
  const searched = await everywhere.files('programs', search(sha1Of(content), { size: content.length }))
  assert.ok(pathsOf(searched).includes(path))
})

test('of several mounts that show the same files one is looked through', () => {
  const all = mountsIn(
    [
      line('8:1', '/', '/'),
      line('8:1', '/var/data', '/bound'),
      line('0:7', '/', '/a\\040b', 'tmpfs'),
      line('8:2', '/inner', '/only', 'squashfs'),
      line('8:1', '/', '/again'),
    ].join('\n'),
  )
  assert.deepEqual(
    eachOnce(all).map(({ place, type, isReadOnly }) => [Buffer.from(place).toString(), type, isReadOnly]),
    [
      ['/', 'ext4', false],
      ['/a b', 'tmpfs', false],
      ['/only', 'squashfs', true],
    ],
  )
})

test('a file of a package is known by dpkg’s lists, under both of its spellings and where it was diverted to', () =>
  inScratch(async ({ near }) => {
    mkdirSync(join(near, 'info'))
    writeFileSync(join(near, 'info', 'one:amd64.list'), '/.\n/bin\n/bin/one\n/usr/bin/two\n')
    writeFileSync(join(near, 'info', 'one.md5sums'), 'x  opt/three\n')
    writeFileSync(join(near, 'diversions'), '/usr/bin/two\n/usr/bin/two.distrib\nother\n')
    const whose = (path: string) => whosePackage([Buffer.from('/home/none'), Buffer.from(path)], near)
    assert.match((await whose('/bin/one')) ?? '', /^\/bin\/one belongs to the package one:amd64$/)
    assert.match((await whose('/usr/bin/one')) ?? '', /belongs to the package one/)
    assert.match((await whose('/bin/two')) ?? '', /belongs to the package one/)
    assert.match((await whose('/usr/bin/two.distrib')) ?? '', /belongs to the package one/)
    for (const path of ['/opt/three', '/usr/bin/on', '/bin/one\n/usr/bin/two', '/home/bin/one'])
      assert.equal(await whose(path), null, path)
  }))
