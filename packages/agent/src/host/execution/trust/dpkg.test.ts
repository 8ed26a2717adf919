import assert from 'node:assert/strict'
import { test } from 'vitest'
import { packageOf, placeOf, readConffiles, readDiversions, readSums } from './dpkg.ts'

const sum = (digit: string): string => digit.repeat(32)

test('sums of a package: a line each; a name that was escaped is left out', () => {
  const text = `${sum('a')}  usr/bin/a\n${sum('b')}  usr/bin/b c\n\\${sum('c')}  usr/bin/d\\ne\n`
  assert.deepEqual(readSums(text), [
    { md5: sum('a'), path: '/usr/bin/a' },
    { md5: sum('b'), path: '/usr/bin/b c' },
  ])
})

test('configuration files are those of every package that is not removed', () => {
  const text = `Package: here
Status: install ok installed
Conffiles:
 /etc/cron.daily/a ${sum('a')}
 /etc/old ${sum('b')} obsolete
 /etc/new newconffile
Description: here
 Conffiles: are named here, too

Package: unpacked
Status: install ok half-configured
Conffiles:
 /etc/init.d/c ${sum('c')}

Package: gone
Status: deinstall ok config-files
Conffiles:
 /etc/gone ${sum('d')}
`
  assert.deepEqual(readConffiles(text), [
    { md5: sum('a'), path: '/etc/cron.daily/a' },
    { md5: sum('b'), path: '/etc/old' },
    { md5: sum('c'), path: '/etc/init.d/c' },
  ])
})

test('a diverted file lies elsewhere, but for the package that has diverted it', () => {
  const diversions = readDiversions('/bin/sh\n/bin/sh.distrib\ndash\n/usr/bin/x\n/usr/bin/x.real\n:\n')
  assert.equal(placeOf('/bin/sh', 'bash', diversions), '/bin/sh.distrib')
  assert.equal(placeOf('/bin/sh', 'dash', diversions), '/bin/sh')
  assert.equal(placeOf('/usr/bin/x', 'any', diversions), '/usr/bin/x.real')
  assert.equal(placeOf('/usr/bin/y', 'any', diversions), '/usr/bin/y')
})

test('a package is named by its file, without the architecture', () => {
  assert.equal(packageOf('libc6:amd64.md5sums'), 'libc6')
  assert.equal(packageOf('bash.md5sums'), 'bash')
  assert.equal(packageOf('gcc-12.1.md5sums'), 'gcc-12.1')
})
