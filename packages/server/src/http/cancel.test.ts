import assert from 'node:assert/strict'
import { test, describe } from 'vitest'
import type { MachineAction } from '@countermand/contract'
import { outcome } from '../testing/device.ts'
import { broughtTo, cancel, endedAs, queued, type Given } from '../testing/given.ts'
import { scenarios, serverOfTheFile, type Scenario, type Subject } from '../testing/scenarios.ts'
import { day, type TestServer } from '../testing/server.ts'

const now = '2026-02-03T04:05:06.12Z'
const cancelBody = { Comment: 'wrong host' }
const asked = 'action.cancel_requested'
/** A request that is refused is kept as well. */
const denied = 'action.cancel_denied'
const anyOf =
  'Machine.CollectForensics, Machine.Isolate, Machine.RestrictExecution, Machine.Scan, Machine.Offboard, Machine.StopAndQuarantine, Machine.LiveResponse'

const cancelledBy =
  (name: string, comment: string, start = queued) =>
  async (server: TestServer): Promise<Given> => {
    const given = await start(server)
    await cancel(server, given.id, { by: name, comment })
    return given
  }

const subject: Subject<Given> = {
  method: 'POST',
  path: ({ id }) => `/api/machineactions/${id}/cancel`,
  given: queued,
  as: ['Machine.Isolate'],
}

/** What a request that is refused must leave alone. */
const stillQueued: Scenario<Given>['check'] = async (_answer, { id }, server) => {
  const { status, cancellationRequestor } = await server.read(id)
  assert.deepEqual({ status, cancellationRequestor }, { status: 'Pending', cancellationRequestor: null })
}

const shapes: Readonly<Record<string, string>> = {
  'a guid that nobody has': '00000000-0000-4000-8000-000000000000',
  'a word': 'elastic-connector-test',
  'a number': '17',
  'a quote': '%27%20or%201=1%20--',
  'a NUL': '%00',
  'letters beyond ASCII': '%C3%BC%F0%9F%92%A5',
  'a slash in it': 'a%2Fb',
  'a question mark in it': 'a%3Fb',
  'a placeholder': ':id',
  '300 characters': 'a'.repeat(300),
  '5,000 characters': 'a'.repeat(5_000),
  'an escape that is none': '%zz',
  'bytes that are no UTF-8': '%ff',
}

const bodies: Readonly<Record<string, { readonly body: string; readonly says: RegExp }>> = {
  'that is not JSON': { body: 'Comment=wrong host', says: /JSON/ },
  'that is cut short': { body: '{"Comment":"wrong', says: /JSON/ },
  'that is a list': { body: '["wrong host"]', says: /object/ },
  'that is a text': { body: '"wrong host"', says: /object/ },
  'that is null': { body: 'null', says: /object/ },
  'with a number for a comment': { body: '{"Comment":17}', says: /Comment/ },
  'with comment for Comment': { body: '{"comment":"wrong host"}', says: /"comment".*"Comment"/ },
  'with COMMENT for Comment': { body: '{"COMMENT":"wrong host"}', says: /"COMMENT".*"Comment"/ },
  'with both spellings': { body: '{"Comment":"a","comment":"b"}', says: /"comment".*"Comment"/ },
}

const sized = (bytes: number): string => `{"Comment":"${'x'.repeat(bytes - 14)}"}`
const mebibyte = 1024 * 1024

const refusals: readonly Scenario<Given>[] = [
  {
    name: 'without a token is refused',
    as: null,
    body: cancelBody,
    status: 401,
    code: 'Unauthorized',
    events: [],
  },
  {
    name: 'with a token that may only read is refused, in the words that clients match on',
    as: ['Machine.Read.All', 'Machine.ReadWrite.All', 'Library.Manage'],
    body: cancelBody,
    status: 403,
    code: 'Forbidden',
    says: `The application does not have any of the required application permissions (${anyOf}) to access the resource.`,
    events: [],
    check: stillQueued,
  },
  ...Object.entries(shapes).map(([name, id]): Scenario<Given> => ({
    name: `of an id that is ${name} is 404, before the body is looked at`,
    path: () => `/api/machineactions/${id}/cancel`,
    body: 'not JSON',
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  })),
  ...Object.entries(bodies).map(([name, { body, says }]): Scenario<Given> => ({
    name: `with a body ${name} is refused`,
    body,
    status: 400,
    code: 'InvalidRequestBody',
    says: [says],
    events: [],
    check: stillQueued,
  })),
  {
    name: 'with a body of one byte over 1 MiB is refused',
    body: sized(mebibyte + 1),
    status: 413,
    code: 'RequestEntityTooLarge',
    events: [],
    check: stillQueued,
  },
  {
    name: 'of an action that has succeeded is refused, and says so and since when',
    given: broughtTo('succeeded'),
    body: cancelBody,
    status: 400,
    code: 'BadRequest',
    says: [/Succeeded/, /2026-02-03T04:05:06/],
    events: [denied],
    check: async (_answer, { id }, server) => {
      const { status, cancellationRequestor } = await server.read(id)
      assert.deepEqual([status, cancellationRequestor], ['Succeeded', null])
    },
  },
  ...(['failed', 'timed_out'] as const).map((how): Scenario<Given> => ({
    name: `of an action that has ${how} is refused, and says so`,
    given: endedAs(how),
    body: cancelBody,
    status: 400,
    code: 'BadRequest',
    says: [how === 'failed' ? /Failed/ : /TimeOut/],
    events: [denied],
  })),
  {
    name: 'of an action that another has cancelled is refused, and says who and when',
    given: cancelledBy('ann', 'wrong host'),
    named: 'bob',
    body: cancelBody,
    status: 400,
    code: 'BadRequest',
    says: [/Cancelled/, /ann/, /2026-02-03T04:05:06/],
    events: [denied],
  },
  {
    name: 'of a cancelled action by the same caller with other words is refused',
    given: cancelledBy('ann', 'wrong host'),
    named: 'ann',
    body: { Comment: 'as I said' },
    status: 400,
    code: 'BadRequest',
    says: [/Cancelled/],
    events: [denied],
    check: (_answer, { id }, { history }) => {
      const { actor, data } = history.ofAction(id).at(-1) ?? {}
      assert.deepEqual([actor, data?.comment], ['ann', 'as I said'])
    },
  },
]

const cancelled = {
  status: 'Cancelled',
  cancellationRequestor: 'an application',
  cancellationDateTimeUtc: now,
}
const outstanding = {
  cancellationRequestor: 'an application',
  cancellationComment: 'wrong host',
  cancellationDateTimeUtc: null,
}

const accepted: readonly Scenario<Given>[] = [
  {
    name: 'of an action that never left the server is done at once',
    body: cancelBody,
    status: 200,
    reply: { ...cancelled, cancellationComment: 'wrong host', lastUpdateDateTimeUtc: now },
    events: [asked, 'action.cancelled'],
    check: (answer, { id }) => {
      const { id: same, countermand } = answer.body as MachineAction
      assert.equal(same, id)
      assert.deepEqual([countermand.proof, countermand.effect.state], ['never_offered', 'none'])
    },
  },
  {
    name: 'with exactly 1 MiB is heard',
    body: sized(mebibyte),
    status: 200,
    reply: { status: 'Cancelled' },
    events: [asked, 'action.cancelled'],
  },
  ...(
    [
      ['without a body', undefined, {}],
      ['with an empty object', '{}', {}],
      ['with blanks for a body', ' \n', {}],
    ] as const
  ).map(([name, body, headers]): Scenario<Given> => ({
    name: `${name} needs no comment`,
    ...(body !== undefined && { body }),
    headers,
    status: 200,
    reply: { ...cancelled, cancellationComment: null },
    events: [asked, 'action.cancelled'],
  })),
  ...(
    [
      ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
      ['plain text', { 'content-type': 'text/plain; charset=utf-8' }],
      ['nothing at all', {}],
      ['something that is no type', { 'content-type': 'json' }],
    ] as const
  ).map(([label, headers]): Scenario<Given> => ({
    name: `is read as JSON though it is labelled as ${label}`,
    headers,
    body: '{"Comment":"wrong host"}',
    status: 200,
    reply: { cancellationComment: 'wrong host' },
    events: [asked, 'action.cancelled'],
  })),
  {
    name: 'keeps the comment as it was written',
    body: { Comment: '  Fälschlich: "ws-017"\n\u{1F4A5} <b>\0 ' },
    status: 200,
    reply: { cancellationComment: '  Fälschlich: "ws-017"\n\u{1F4A5} <b>\0 ' },
    events: [asked, 'action.cancelled'],
  },
  {
    name: 'ignores names that are not known at all',
    body: { Comment: 'wrong host', Ticket: 17, '@odata.type': 'x' },
    status: 200,
    reply: { cancellationComment: 'wrong host' },
    events: [asked, 'action.cancelled'],
  },
  ...[...anyOf.split(', '), 'Machine.CollectForensic'].map((permission): Scenario<Given> => ({
    name: `is allowed by ${permission} alone`,
    as: [permission],
    body: cancelBody,
    status: 200,
    reply: { status: 'Cancelled' },
    events: [asked, 'action.cancelled'],
  })),
  ...(['offered', 'accepted'] as const).map((place): Scenario<Given> => ({
    name: `of an action that is ${place} is Pending with its requestor, until the device proves it`,
    given: broughtTo(place),
    body: cancelBody,
    status: 200,
    reply: { status: 'Pending', ...outstanding },
    events: [asked],
  })),
  ...(['running', 'settling'] as const).map((place): Scenario<Given> => ({
    name: `of an action that is ${place} is InProgress with its requestor, until the device proves it`,
    given: broughtTo(place),
    body: cancelBody,
    status: 200,
    reply: { status: 'InProgress', ...outstanding },
    events: [asked],
  })),
  {
    name: 'sent again while it is outstanding is the same request, and is kept',
    given: cancelledBy('ann', 'wrong host', broughtTo('running')),
    named: 'ann',
    body: cancelBody,
    status: 200,
    reply: { status: 'InProgress', cancellationRequestor: 'ann' },
    events: [asked],
  },
  {
    name: 'by another while one is outstanding is accepted, and the first stays the requestor',
    given: cancelledBy('ann', 'wrong host', broughtTo('running')),
    named: 'bob',
    body: { Comment: 'me too' },
    status: 200,
    reply: { status: 'InProgress', cancellationRequestor: 'ann', cancellationComment: 'wrong host' },
    events: [asked],
    check: (_answer, { id }, { history }) => {
      const requests = history.ofAction(id).filter(({ kind }) => kind === asked)
      assert.deepEqual(
        requests.map(({ actor, data }) => [actor, data.comment]),
        [
          ['ann', 'wrong host'],
          ['bob', 'me too'],
        ],
      )
    },
  },
  {
    name: 'sent again after it has led to Cancelled is answered with the entity',
    given: cancelledBy('ann', 'wrong host'),
    named: 'ann',
    body: cancelBody,
    status: 200,
    reply: { status: 'Cancelled', cancellationRequestor: 'ann', cancellationDateTimeUtc: now },
    events: [asked],
  },
]

scenarios('POST /api/machineactions/:id/cancel', subject, [...refusals, ...accepted])

describe('the date of a cancel', () => {
  test('is when it was proven, not when it was asked', async () => {
    const server = await serverOfTheFile()
    const { id, device } = await broughtTo('running')(server)
    server.clock.pass(1_000)
    const before = await cancel(server, id)
    assert.equal(before.cancellationDateTimeUtc, null)
    server.clock.pass(day)
    device.stop(id)
    await device.sync()
    const { status, cancellationDateTimeUtc, lastUpdateDateTimeUtc, commands } = await server.read(id)
    assert.equal(status, 'Cancelled')
    assert.equal(cancellationDateTimeUtc, '2026-02-04T04:05:07.12Z')
    assert.equal(lastUpdateDateTimeUtc, '2026-02-04T04:05:07.12Z')
    assert.equal(commands[0]?.commandStatus, outcome('Failed').status)
  })
})
