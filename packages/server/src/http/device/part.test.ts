import assert from 'node:assert/strict'
import { IncomingMessage } from 'node:http'
import { Socket } from 'node:net'
import type { FastifyRequest } from 'fastify'
import { afterEach, beforeEach, test, vi } from 'vitest'
import { partHeaders } from '../../testing/parts.ts'
import { partIn } from './part.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function begun(): { raw: IncomingMessage; content: AsyncIterator<Uint8Array> } {
  const raw = new IncomingMessage(new Socket())
  const headers = partHeaders({ offset: 0, bytes: Buffer.alloc(0) })
  const { content } = partIn({ headers, raw } as unknown as FastifyRequest)
  return { raw, content: content[Symbol.asyncIterator]() }
}

test('a part may come slowly, but a connection that is silent for 30 seconds is given up', async () => {
  const { raw, content } = begun()
  for (let seconds = 0; seconds < 100; seconds += 29) {
    const next = content.next()
    await vi.advanceTimersByTimeAsync(29_000)
    raw.push('slow')
    assert.equal(String((await next).value), 'slow')
  }
  const next = content.next()
  const refused = assert.rejects(next, { code: 'BadRequest' })
  await vi.advanceTimersByTimeAsync(30_000)
  await refused
  assert.equal(vi.getTimerCount(), 0)
})

test('whoever stops listening leaves the connection as it is, for the answer', async () => {
  const { raw, content } = begun()
  raw.push('too much')
  await content.next()
  await content.return?.()
  assert.equal(raw.destroyed, false)
  assert.equal(vi.getTimerCount(), 0)
})
