/** Real files, on the file system of the quarantine and on another one: taken away whole, and put back as they were. */
import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { needs } from '../../../../../test/needs.ts'
import { openQuarantine } from './quarantine.ts'
import {
  attributesOf,
  decorate,
  hasTwoFileSystems,
  inChild,
  inScratch,
  lookAt,
  sha1Of,
} from './testing/scratch.ts'
import type { Moment } from './types.ts'

const action = 'an action'
const content = 'what is wanted\n'
const sha1 = sha1Of(content)
const about = { action, sha1 }

function makeFile(path: string | Buffer, mode = 0o4751): void {
  writeFileSync(path, content)
  chownSync(path, 12_345, 54_321)
  chmodSync(path, mode)
  utimesSync(path, 1_700_000_000.25, 1_700_000_001.5)
}

const places = [
  ['on its own file system', 'near'],
  ['on another file system', 'far'],
] as const

describe.skipIf(!needs('root')).each(places.filter(([, where]) => where === 'near' || hasTwoFileSystems))(
  'a file %s',
  (_name, where) => {
    test('is gone from its place, and is locked away for root alone', () =>
      inScratch(async ({ folder, ...scratch }) => {
        const path = join(scratch[where], 'evil')
        makeFile(path)
        const item = await openQuarantine({ folder }).take(Buffer.from(path), about)
        assert.ok(item)
        assert.deepEqual(readdirSync(scratch[where]), [])
        assert.equal(statSync(folder).mode & 0o777, 0o700)
        const inside = readdirSync(join(folder, item.id)).filter((name) => name !== 'record.json')
        assert.equal(inside.length, 1)
        const kept = join(folder, item.id, inside[0] ?? '')
        assert.equal(statSync(kept).mode & 0o7777, 0, 'nobody reads or executes it there')
        assert.equal(readFileSync(kept, 'utf8'), content)
      }))

    test('comes back with owner, mode, times and extended attributes', () =>
      inScratch(async ({ folder, ...scratch }) => {
        const path = join(scratch[where], 'evil')
        makeFile(path)
        if (needs('setfattr')) decorate(path)
        const before = [lookAt(path), attributesOf(path)]
        const quarantine = openQuarantine({ folder })
        const item = await quarantine.take(Buffer.from(path), about)
        assert.equal(item?.isBare, false)
        assert.deepEqual(await quarantine.putBack(item?.id ?? ''), [])
        assert.deepEqual([lookAt(path), attributesOf(path)], before)
        assert.deepEqual(await quarantine.list(), [])
        assert.deepEqual(readdirSync(scratch[where]), ['evil'], 'and nothing is beside it')
        assert.deepEqual(await quarantine.putBack(item?.id ?? ''), [], 'safe twice')
      }))

    test('may have any name that a file can have', () =>
      inScratch(async ({ folder, ...scratch }) => {
        const path = Buffer.concat([
          Buffer.from(`${scratch[where]}/a\nb; $(c) '`),
          Buffer.from([0xff, 0xfe, 0x80]),
        ])
        makeFile(path)
        const quarantine = openQuarantine({ folder })
        const item = await quarantine.take(path, about)
        assert.deepEqual(
          item?.names.map((name) => Buffer.from(name)),
          [path],
        )
        assert.equal(existsSync(path), false)
        assert.deepEqual(await quarantine.putBack(item?.id ?? ''), [])
        assert.equal(readFileSync(path, 'utf8'), content)
      }))

    test('goes by all its names, and comes back as one file', () =>
      inScratch(async ({ folder, ...scratch }) => {
        const names = ['one', 'two', 'three'].map((name) => join(scratch[where], name))
        makeFile(names[0] ?? '')
        for (const name of names.slice(1)) linkSync(names[0] ?? '', name)
        const before = names.map(lookAt)
        const quarantine = openQuarantine({ folder })
        const items = []
        for (const name of names) items.push(await quarantine.take(Buffer.from(name), about))
        assert.deepEqual(readdirSync(scratch[where]), [])
        assert.equal(new Set(items.map((item) => item?.id)).size, 1)
        assert.deepEqual(await quarantine.putBack(items[0]?.id ?? ''), [])
        assert.deepEqual(names.map(lookAt), before)
        assert.equal(new Set(names.map((name) => lstatSync(name).ino)).size, 1)
      }))

    test('whose place is taken stays in quarantine, and that is said', () =>
      inScratch(async ({ folder, ...scratch }) => {
        const path = join(scratch[where], 'evil')
        makeFile(path)
        const quarantine = openQuarantine({ folder })
        const { id = '' } = (await quarantine.take(Buffer.from(path), about)) ?? {}
        writeFileSync(path, 'a stranger')
        const [residue, ...more] = await quarantine.putBack(id)
        assert.match(
          residue ?? '',
          /evil is not back: something else is there by now\. The file stays .* restore/,
        )
        assert.deepEqual(more, [])
        assert.equal(readFileSync(path, 'utf8'), 'a stranger')
        assert.deepEqual(
          (await quarantine.list()).map((item) => item.id),
          [id],
        )
        rmSync(path)
        assert.deepEqual(await quarantine.putBack(id), [], 'and comes back when there is room')
        assert.equal(readFileSync(path, 'utf8'), content)
        assert.equal(lstatSync(path).mode & 0o7777, 0o4751)
      }))

    test('whose folder has gone stays in quarantine, and that is said', () =>
      inScratch(async ({ folder, ...scratch }) => {
        const inner = join(scratch[where], 'inner')
        mkdirSync(inner)
        makeFile(join(inner, 'evil'))
        const quarantine = openQuarantine({ folder })
        const { id = '' } = (await quarantine.take(Buffer.from(join(inner, 'evil')), about)) ?? {}
        rmSync(inner, { recursive: true })
        assert.match((await quarantine.putBack(id)).join(), /its folder has gone/)
        assert.equal((await quarantine.list()).length, 1)
      }))

    test.each([
      ['quarantine-promised', 'in its place'],
      ['quarantine-aside', 'in its place'],
      ['quarantine-kept', 'in quarantine'],
      ...(where === 'far' ? ([['quarantine-copied', 'in its place']] as const) : []),
    ] as const)('whose agent dies at %s is %s, and whole', (moment, isWhere) =>
      inScratch(async ({ folder, ...scratch }) => {
        const path = join(scratch[where], 'evil')
        makeFile(path)
        const before = lookAt(path)
        const died = inChild(['take', folder, Buffer.from(path).toString('base64'), sha1, moment])
        assert.equal(died.signal, 'SIGKILL', died.error)
        const quarantine = openQuarantine({ folder })
        assert.deepEqual(await quarantine.mend(action), [])
        const isBack = isWhere === 'in its place'
        assert.deepEqual(readdirSync(scratch[where]), isBack ? ['evil'] : [])
        const [item] = await quarantine.list()
        assert.equal(item === undefined, isBack)
        if (item !== undefined) assert.deepEqual(await quarantine.putBack(item.id), [])
        assert.deepEqual(lookAt(path), before)
        assert.deepEqual(readdirSync(scratch[where]), ['evil'])
      }),
    )

    test('whose agent dies putting it back is put back by the next', () =>
      inScratch(async ({ folder, ...scratch }) => {
        const names = ['one', 'two'].map((name) => join(scratch[where], name))
        makeFile(names[0] ?? '')
        linkSync(names[0] ?? '', names[1] ?? '')
        const before = names.map(lookAt)
        const quarantine = openQuarantine({ folder })
        for (const name of names) await quarantine.take(Buffer.from(name), about)
        const { id = '' } = (await quarantine.list())[0] ?? {}
        const died = inChild(['back', folder, id, 'quarantine-back' satisfies Moment])
        assert.equal(died.signal, 'SIGKILL', died.error)
        assert.deepEqual(await quarantine.putBack(id), [])
        assert.deepEqual(names.map(lookAt), before)
        assert.deepEqual(readdirSync(scratch[where]).toSorted(), ['one', 'two'])
      }))

    test('that is another one by the time of the move is there again as it was', () =>
      inScratch(async ({ folder, ...scratch }) => {
        const path = join(scratch[where], 'evil')
        const other = join(scratch[where], 'other')
        makeFile(path)
        const quarantine = openQuarantine({
          folder,
          moment: (now) => {
            if (now !== 'quarantine-promised') return
            writeFileSync(other, 'innocent')
            chmodSync(other, 0o640)
            renameSync(other, path)
          },
        })
        assert.equal(await quarantine.take(Buffer.from(path), about), null)
        assert.equal(readFileSync(path, 'utf8'), 'innocent')
        assert.equal(lstatSync(path).mode & 0o7777, 0o640)
        assert.deepEqual(await quarantine.list(), [])
        assert.deepEqual(readdirSync(scratch[where]), ['evil'])
      }))

    test('that is written to by the time of the move is there again', () =>
      inScratch(async ({ folder, ...scratch }) => {
        const path = join(scratch[where], 'evil')
        makeFile(path)
        const quarantine = openQuarantine({
          folder,
          moment: (now) => {
            if (now === 'quarantine-promised') appendFileSync(path, 'more')
          },
        })
        assert.equal(await quarantine.take(Buffer.from(path), about), null)
        assert.equal(readFileSync(path, 'utf8'), `${content}more`)
        // The kernel takes the bits for another identity from a file that is written to.
        assert.equal(lstatSync(path).mode & 0o777, 0o751)
        assert.deepEqual(await quarantine.list(), [])
      }))

    test('that has gone, is a link, or is another by its hash is left alone', () =>
      inScratch(async ({ folder, ...scratch }) => {
        const quarantine = openQuarantine({ folder })
        const path = join(scratch[where], 'evil')
        assert.equal(await quarantine.take(Buffer.from(path), about), null)
        writeFileSync(path, 'innocent')
        symlinkSync(path, `${path}.link`)
        assert.equal(await quarantine.take(Buffer.from(path), about), null)
        assert.equal(await quarantine.take(Buffer.from(`${path}.link`), about), null)
        assert.deepEqual(readdirSync(scratch[where]).toSorted(), ['evil', 'evil.link'])
        assert.deepEqual(await quarantine.list(), [])
      }))
  },
)

describe.skipIf(!needs('root') || !needs('unshare'))('a quarantine whose disk is full', () => {
  test('leaves a file of another file system where it is, whole, and says so', () =>
    inScratch((scratch) => {
      const path = join(scratch.near, 'evil')
      const big = Buffer.alloc(300_000, 7)
      writeFileSync(path, big, { mode: 0o755 })
      mkdirSync(scratch.folder)
      const mounted = `mount -t tmpfs -o size=100k none '${scratch.folder}' && exec "$@"`
      const inside = ['unshare', '--mount', 'sh', '-c', mounted, '-']
      const args = ['take', scratch.folder, Buffer.from(path).toString('base64'), sha1Of(big)]
      const { error } = inChild(args, inside)
      assert.match(error, /evil could not be taken away: the disk of the quarantine is full/)
      assert.deepEqual(readFileSync(path), big)
      assert.equal(lstatSync(path).mode & 0o7777, 0o755)
      assert.deepEqual(readdirSync(scratch.near), ['evil'])
      return Promise.resolve()
    }))
})

test.skipIf(!needs('root') || !needs('unshare'))(
  'a file that is seen through another mount of the same file system is taken, by a copy',
  () =>
    inScratch(async ({ folder, near }) => {
      const [path, bound] = [join(near, 'evil'), join(near, '../bound')]
      mkdirSync(bound)
      makeFile(path)
      const mounted = `mount --bind '${near}' '${bound}' && exec "$@"`
      const inside = ['unshare', '--mount', 'sh', '-c', mounted, '-']
      const seen = Buffer.from(join(bound, 'evil')).toString('base64')
      const { value, error } = inChild(['take', folder, seen, sha1], inside)
      assert.deepEqual(readdirSync(near), [], error)
      const items = await openQuarantine({ folder }).list()
      assert.deepEqual(
        items.map(({ id, state }) => [id, state]),
        [[value, 'kept']],
      )
      assert.deepEqual(readdirSync(folder), [value])
    }),
)
