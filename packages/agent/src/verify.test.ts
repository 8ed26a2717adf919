/** Nothing passes the gate but a reply by the pinned key, of the right kind, to this device, over this nonce. */
import assert from 'node:assert/strict'
import { messageTypes } from '@countermand/contract'
import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import { beforeAll, describe, test } from 'vitest'
import { makeOrderKey, replyOf, type OrderKey } from './testing/fakes.ts'
import { openOrder, openReply } from './verify.ts'

const machineId = 'd'.repeat(40)
const nonce = 'the-nonce-that-was-sent-last'
const reply = replyOf({ machineId, nonce })

let key: OrderKey
let other: OrderKey
beforeAll(async () => {
  key = await makeOrderKey()
  other = await makeOrderKey()
})

const open = (jws: string) =>
  openReply(jws, { type: messageTypes.reply, orderKey: key.thumbprint, machineId, nonce })

test('the right one is let through as it is', async () => {
  assert.deepEqual(await open(await key.sign(reply)), reply)
})

describe('refused', () => {
  test('a reply to an older nonce', async () => {
    assert.equal(await open(await key.sign({ ...reply, nonce: 'the-nonce-before-that-one' })), null)
  })

  test('a reply by another key, which brings itself along', async () => {
    assert.equal(await open(await other.sign(reply)), null)
  })

  test('a reply by another key that claims to be the pinned one', async () => {
    const [header = ''] = (await key.sign(reply)).split('.')
    const { jwk } = JSON.parse(Buffer.from(header, 'base64url').toString())
    assert.equal(await open(await other.sign(reply, messageTypes.reply, { jwk })), null)
  })

  test('a reply without a key in its header', async () => {
    assert.equal(await open(await key.sign(reply, messageTypes.reply, {})), null)
  })

  test('a reply for another device', async () => {
    assert.equal(await open(await key.sign({ ...reply, machineId: 'e'.repeat(40) })), null)
  })

  test.each([messageTypes.enrolled, messageTypes.statement, 'JWT', ''])(
    'another kind of message: %j',
    async (type) => {
      assert.equal(await open(await key.sign(reply, type)), null)
    },
  )

  test('a reply that was changed on the way', async () => {
    const [header, , signature] = (await key.sign(reply)).split('.')
    const changed = Buffer.from(JSON.stringify({ ...reply, starts: ['x'] })).toString('base64url')
    assert.equal(await open([header, changed, signature].join('.')), null)
  })

  test('a reply without a signature, or by no algorithm', async () => {
    const parts = (await key.sign(reply)).split('.')
    const unsigned = Buffer.from(JSON.stringify({ alg: 'none', typ: messageTypes.reply })).toString(
      'base64url',
    )
    assert.equal(await open(`${unsigned}.${parts[1]}.`), null)
    assert.equal(await open(`${parts[0]}.${parts[1]}.`), null)
  })

  test('a reply by a key of another kind', async () => {
    const { privateKey, publicKey } = await generateKeyPair('ES256', { extractable: true })
    const header = { alg: 'ES256', typ: messageTypes.reply, jwk: await exportJWK(publicKey) }
    assert.equal(
      await open(await new SignJWT({ ...reply }).setProtectedHeader(header).sign(privateKey)),
      null,
    )
  })

  test.each([
    { ...reply, cancels: ['../../etc'] },
    { ...reply, offers: [{ id: 'x' }] },
    { ...reply, seq: -1 },
    { nonce, machineId },
    null,
    'text',
  ])('what is signed and is no reply: %j', async (payload) => {
    const text = JSON.stringify(payload)
    assert.equal(await open(await key.sign(JSON.parse(text) ?? {})), null)
  })

  test.each(['', 'a', 'a.b', 'a.b.c', '{}', '<html>'])('what is no message at all: %j', async (text) => {
    assert.equal(await open(text), null)
  })
})

test('an order is opened by kind and key alone: what it answers is for the caller to look at', async () => {
  const expected = { type: messageTypes.enrolled, orderKey: key.thumbprint }
  assert.deepEqual(await openOrder(await key.sign({ a: 1 }, messageTypes.enrolled), expected), { a: 1 })
  assert.equal(await openOrder(await other.sign({ a: 1 }, messageTypes.enrolled), expected), null)
})
