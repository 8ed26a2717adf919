import { expect, test } from 'vitest'
import { readSignedIn, signedInOf } from './signed-in.ts'

interface Entry {
  readonly type?: number
  readonly pid?: number
  readonly user: string
  readonly from?: string
}

/** As login programs write it: type at 0, process at 4, user at 44, host at 76. */
function entry(size: number, { type = 7, pid = 1, user, from = '' }: Entry): Buffer {
  const bytes = Buffer.alloc(size)
  bytes.writeInt16LE(type, 0)
  bytes.writeInt32LE(pid, 4)
  bytes.write('pts/0', 8)
  bytes.write(user, 44)
  bytes.write(from, 76)
  return bytes
}

test.each([384, 400])('who is signed in is read from entries of %d bytes', (size) => {
  const utmp = Buffer.concat([
    entry(size, { type: 2, user: 'reboot', from: '6.1.0' }),
    entry(size, { user: 'root', from: '192.0.2.9' }),
    entry(size, { user: 'root', from: '192.0.2.10' }),
    entry(size, { user: 'root' }),
    entry(size, { user: 'ann', from: ':0' }),
    entry(size, { type: 8, user: 'gone' }),
    entry(size, { pid: 99, user: 'killed' }),
    entry(size, { user: '' }),
    entry(size, { user: 'x'.repeat(32) }),
    Buffer.alloc(size - 1),
  ])
  expect(signedInOf(utmp, size, (pid) => pid === 1)).toEqual([
    { name: 'ann', type: 'Interactive' },
    { name: 'root', type: 'Interactive' },
    { name: 'root', type: 'RemoteInteractive' },
    { name: 'x'.repeat(32), type: 'Interactive' },
  ])
})

test('no entry is nobody', () => {
  expect(signedInOf(Buffer.alloc(0), 384, () => true)).toEqual([])
})

test('this host says who is there, or that it cannot tell', () => {
  const found = readSignedIn()
  for (const { name, type } of found ?? [])
    expect([name.length > 0, type.endsWith('nteractive')]).toEqual([true, true])
})
