import assert from 'node:assert/strict'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { test } from 'vitest'
import { EnrolmentError, enrol } from './identity.ts'
import { facts, inFolder } from './testing/fakes.ts'

const tokenFor = (server: string): string => {
  const token = { server, orderKey: 'A'.repeat(43), secret: 'secret' }
  return `cme1.${Buffer.from(JSON.stringify(token)).toString('base64url')}`
}

test('a server that cannot be reached is named, and what to do is said', () =>
  inFolder(async (folder) => {
    // A port that was free a moment ago.
    const server = createServer().listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    const url = `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`
    server.close()
    await once(server, 'close')

    const enrolling = enrol(folder, tokenFor(url), { facts, capabilities: {} })
    await assert.rejects(enrolling, (thrown) => {
      assert.ok(thrown instanceof EnrolmentError)
      assert.match(thrown.message, new RegExp(`${url}, was not reached: .*ECONNREFUSED.*start again`))
      return true
    })
    assert.equal(existsSync(join(folder, 'identity.json')), false)
  }))

test('what is no token is said to be none', () =>
  inFolder(async (folder) => {
    for (const text of ['', 'cme1.', 'cme1.e30', 'secret'])
      await assert.rejects(enrol(folder, text, { facts, capabilities: {} }), /That is not an enrolment token/)
  }))
