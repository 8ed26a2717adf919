/** What is hashed is JSON in canonical form, however it is put together. */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { canonical } from '@countermand/contract'
import { dataText, genesis, linkText, type Link } from './chain.ts'

const link: Omit<Link, 'data'> & { readonly data: unknown } = {
  chain: 'a'.repeat(40),
  sequence: 7,
  previous: genesis,
  kind: 'action.cancel_requested',
  actionId: '01a22918-99c9-7acc-98f7-e3132bd7032f',
  actor: 'Zoë "the \\ first"\n',
  alarm: true,
  at: 1_795_985_807_817,
  data: { why: 'ä\u2028', comment: null, b: [{ z: 1, a: undefined }], a: {} },
  statement: null,
}

test.each([
  ['an event', link],
  ['nobody’s event', { ...link, actionId: null, actor: null, alarm: false, statement: 'digest' }],
  // Rows that somebody has written by hand: what holds a quote must not pass for two fields.
  ['fields that hold quotes', { ...link, previous: 'x","sequence":8,"', chain: '","data":{}', kind: '"' }],
  ['a text where a number belongs', { ...link, sequence: '7,"statement":null', at: '1' }],
])('%s is hashed as its canonical form', (_, given) => {
  const held = given as typeof link
  assert.equal(linkText({ ...held, data: dataText(held.data) }), canonical(held))
})
