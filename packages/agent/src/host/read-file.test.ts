/** Files of this host as they are brought away: what is no file, cannot be read, grows or ends early. */
import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { appendFileSync, mkdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import { describe, test } from 'vitest'
import { inFolder } from '../testing/fakes.ts'
import { readCompressed } from './read-file.ts'

const never = new AbortController().signal
const limit = 10_000_000

async function whole(path: string, most = limit): Promise<Buffer> {
  const { content } = await readCompressed(path, most, never)
  const chunks: Uint8Array[] = []
  for await (const { chunk } of content) chunks.push(chunk)
  return gunzipSync(Buffer.concat(chunks))
}

describe('a file', () => {
  test.each(['plain', 'with blanks', 'with\na line feed', 'ملف-№1', '-rf', 'quote\'"s'])(
    'named %j is brought as it is',
    (name) =>
      inFolder(async (folder) => {
        const path = join(folder, name)
        writeFileSync(path, `what is in ${name}`)
        assert.equal((await whole(path)).toString(), `what is in ${name}`)
      }),
  )

  test('that is empty is brought, and one of exactly the limit; one byte more is not', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'file')
      writeFileSync(path, '')
      assert.equal((await whole(path)).length, 0)
      writeFileSync(path, Buffer.alloc(1000, 1))
      assert.equal((await whole(path, 1000)).length, 1000)
      await assert.rejects(whole(path, 999), /is larger than the 999 bytes that GetFile brings/)
    }))

  test('behind a link is brought; a link that leads in a circle is not', () =>
    inFolder(async (folder) => {
      writeFileSync(join(folder, 'file'), 'there')
      symlinkSync('file', join(folder, 'link'))
      symlinkSync('round', join(folder, 'round'))
      assert.equal((await whole(join(folder, 'link'))).toString(), 'there')
      await assert.rejects(whole(join(folder, 'round')), /its links lead in a circle/)
    }))

  test('that grows is brought as large as it was when it was opened', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'log')
      writeFileSync(path, Buffer.alloc(500_000, 1))
      const { size, content } = await readCompressed(path, limit, never)
      const chunks: Uint8Array[] = []
      for await (const { chunk } of content) {
        appendFileSync(path, Buffer.alloc(100_000, 2))
        chunks.push(chunk)
      }
      assert.equal(size, 500_000)
      assert.deepEqual(gunzipSync(Buffer.concat(chunks)), Buffer.alloc(500_000, 1))
    }))

  test('that is cut off meanwhile is brought as far as it goes', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'log')
      writeFileSync(path, Buffer.alloc(5_000_000, 1))
      const { content } = await readCompressed(path, limit, never)
      truncateSync(path, 3)
      const chunks: Uint8Array[] = []
      for await (const { chunk } of content) chunks.push(chunk)
      assert.ok(gunzipSync(Buffer.concat(chunks)).length < 5_000_000)
    }))

  test('that the kernel makes up has no size, and is brought to its end', async () => {
    const { size } = await readCompressed('/proc/self/status', limit, never)
    assert.equal(size, 0)
    assert.match((await whole('/proc/self/status')).toString(), /^Name:/)
    await assert.rejects(whole('/proc/self/status', 100), /is larger than the 100 bytes/)
  })

  test('is not read on once it is told to end', () =>
    inFolder(async (folder) => {
      const path = join(folder, 'large')
      writeFileSync(path, Buffer.alloc(5_000_000, 1))
      const stop = new AbortController()
      const { content } = await readCompressed(path, limit, stop.signal)
      stop.abort(new Error('told to end'))
      const read = async (): Promise<void> => {
        for await (const { chunk } of content) assert.ok(chunk)
      }
      await assert.rejects(read(), /told to end/)
    }))
})

describe('what is no file is refused in plain words, and nobody waits for it:', () => {
  test('a pipe, a socket, a folder, a device', () =>
    inFolder(async (folder) => {
      const [pipe, socket] = [join(folder, 'pipe'), join(folder, 'socket')]
      execFileSync('mkfifo', [pipe])
      const server = createServer().listen(socket)
      await once(server, 'listening')
      mkdirSync(join(folder, 'folder'))
      await assert.rejects(whole(pipe), /pipe is a pipe, not a file/)
      await assert.rejects(
        whole(socket),
        /socket cannot be read: it is a socket or a device that nobody serves/,
      )
      await assert.rejects(whole(join(folder, 'folder')), /folder is a folder, not a file/)
      await assert.rejects(whole('/dev/zero'), /\/dev\/zero is a device, not a file/)
      server.close()
    }))

  test('what is not there, is below a file, has too long a name, or cannot be read', async () => {
    await assert.rejects(whole('/nowhere/file'), /there is no such file on this host/)
    await assert.rejects(whole('/etc/hostname/file'), /there is no such file on this host/)
    await assert.rejects(whole(`/tmp/${'x'.repeat(300)}`), /its name is too long for this host/)
    // Its first page is never mapped.
    await assert.rejects(whole('/proc/self/mem'), /\/proc\/self\/mem cannot be read: /)
  })
})
