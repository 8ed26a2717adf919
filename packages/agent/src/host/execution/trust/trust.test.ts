import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { chmodSync, mkdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { test } from 'vitest'
import { inFolder } from '../../../testing/fakes.ts'
import { noSurvey, survey } from './survey.ts'
import { isWhole, listOf, openTrust } from './trust.ts'

const md5 = (text: string): string => createHash('md5').update(text).digest('hex')
const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex')

/** A system of its own, in a folder. */
function systemIn(root: string): {
  put: (path: string, text: string, mode?: number) => void
  brought: (name: string, files: Record<string, string>) => void
  dpkg: (name: string, text: string) => void
} {
  const put = (path: string, text: string, mode = 0o755): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true })
    writeFileSync(join(root, path), text)
    chmodSync(join(root, path), mode)
  }
  const dpkg = (name: string, text: string): void => put(join('/var/lib/dpkg', name), text, 0o644)
  /** What a package says that it has brought. */
  const brought = (name: string, files: Record<string, string>): void =>
    dpkg(
      `info/${name}.md5sums`,
      Object.entries(files)
        .map(([path, text]) => `${md5(text)}  ${path.slice(1)}\n`)
        .join(''),
    )
  dpkg('status', '')
  return { put, brought, dpkg }
}

test('what is trusted are executables that are as their package brought them', async () => {
  await inFolder(async (root) => {
    const { put, brought, dpkg } = systemIn(root)
    const files = {
      '/usr/bin/tool': 'tool',
      '/usr/bin/changed': 'as it was',
      '/usr/bin/with blank': 'blank',
      '/usr/bin/with\u00a0blank': 'no-break',
      '/usr/share/doc/tool': 'read me',
      '/usr/bin/gone': 'gone',
      '/bin/old': 'old',
      '/usr/bin/diverted': 'of tools',
    }
    for (const [path, text] of Object.entries(files)) put(path.replace(/^\/bin/, '/usr/bin'), text)
    symlinkSync('usr/bin', join(root, 'bin'))
    symlinkSync('tool', join(root, 'usr/bin/link'))
    put('/usr/share/doc/tool', 'read me', 0o644)
    put('/usr/bin/changed', 'as it is!')
    put('/usr/bin/foreign', 'foreign')
    put('/usr/bin/diverted', 'of other')
    put('/usr/bin/diverted.tools', 'of tools')
    put('/etc/cron.daily/tool', 'daily')
    put('/etc/cron.daily/edited', 'edited')
    brought('tools:amd64', { ...files, '/usr/bin/link': 'tool' })
    brought('other', { '/usr/bin/diverted': 'of other' })
    dpkg('diversions', '/usr/bin/diverted\n/usr/bin/diverted.tools\nother\n')
    dpkg(
      'status',
      `Package: tools\nStatus: install ok installed\nConffiles:\n /etc/cron.daily/tool ${md5('daily')}\n /etc/cron.daily/edited ${md5('as it was')}\n`,
    )
    const found = survey(root, noSurvey)
    const expected = {
      '/usr/bin/tool': 'tool',
      '/usr/bin/old': 'old',
      '/usr/bin/gone': 'gone',
      '/usr/bin/diverted': 'of other',
      '/usr/bin/diverted.tools': 'of tools',
      '/etc/cron.daily/tool': 'daily',
    }
    assert.deepEqual(
      new Map(found.trusted.map(({ path, sha256: sum, size }) => [path, `${size} ${sum}`])),
      new Map(Object.entries(expected).map(([path, text]) => [path, `${text.length} ${sha256(text)}`])),
    )
    assert.deepEqual(found.changed.toSorted(), ['/etc/cron.daily/edited', '/usr/bin/changed'])
    assert.deepEqual(found.unlistable.toSorted(), ['/usr/bin/with blank', '/usr/bin/with\u00a0blank'])
  })
})

test('a list is whole as it was written, and says each program once', () => {
  const file = { path: '/usr/bin/b', md5: '', size: 3, sha256: 'c'.repeat(64) }
  const list = listOf([file, { ...file, path: '/usr/bin/a' }])
  assert.deepEqual(list.split('\n').slice(1), [
    `/usr/bin/a 3 ${file.sha256}`,
    `/usr/bin/b 3 ${file.sha256}`,
    '',
  ])
  assert.ok(isWhole(list))
  assert.ok(!isWhole(list.replace('/usr/bin/a', '/usr/bin/c')))
  assert.ok(!isWhole(list + '/tmp/x 1 d\n'))
  assert.ok(!isWhole(''))
})

test('what is known is kept for the next agent, until packages change', async () => {
  await inFolder(async (root) => {
    const { put, brought, dpkg } = systemIn(root)
    const folder = join(root, 'agent')
    const open = (): ReturnType<typeof openTrust> => openTrust({ folder, root, log: () => undefined })
    const names = async (): Promise<string[] | undefined> => (await open().latest())?.map(({ path }) => path)
    put('/usr/bin/a', 'a')
    brought('a', { '/usr/bin/a': 'a' })
    assert.equal(await names(), undefined)
    assert.equal(await open().refresh(), true)
    assert.deepEqual(await names(), ['/usr/bin/a'])
    assert.equal(await open().refresh(), false)

    put('/usr/bin/b', 'b')
    brought('b', { '/usr/bin/b': 'b' })
    put('/usr/bin/a', 'A')
    brought('a', { '/usr/bin/a': 'A' })
    assert.equal(await open().refresh(), false)
    dpkg('status', 'Package: b\n')
    assert.equal(await open().refresh(), true)
    const { trusted } = survey(root, noSurvey)
    assert.deepEqual(await open().latest(), trusted)
    assert.equal(trusted.length, 2)

    // What was written by half, or by another agent's program, is not read.
    writeFileSync(join(folder, 'trust.json'), '{"form":1')
    utimesSync(join(root, 'var/lib/dpkg/status'), 1, 1)
    assert.equal(await names(), undefined)
    assert.equal(await open().refresh(), true)
    assert.equal((await names())?.length, 2)
  })
})
