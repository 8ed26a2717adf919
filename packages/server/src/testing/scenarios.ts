/** Scenarios of an endpoint as data: refusals first, each naming the events that appear, and thereby all that do not. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { anyone, openServer, type Answer, type Asked, type ErrorBody, type TestServer } from './server.ts'

/** What all scenarios of a list have in common. */
export interface Subject<Given> {
  readonly method: Asked['method']
  readonly path: (given: Given) => string
  /** What must be there before the request; made anew for each scenario. */
  readonly given: (server: TestServer) => Promise<Given>
  /** Permissions of the caller. */
  readonly as: readonly string[]
  /** On a server of its own, with nothing in it; else on the file's. */
  readonly fresh?: true
}

export interface Scenario<Given> {
  readonly name: string
  readonly given?: (server: TestServer) => Promise<Given>
  readonly path?: (given: Given) => string
  /** Null for a request without a token. */
  readonly as?: readonly string[] | null
  readonly named?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: Asked['body'] | ((given: Given) => Asked['body'])
  readonly status: number
  readonly code?: string
  /** What the message of the error says: all of it as a text, parts of it as patterns. */
  readonly says?: string | readonly RegExp[]
  /** Keys of the answer with what each must be. */
  readonly reply?: Readonly<Record<string, unknown>>
  /** Kinds of all events that appear anywhere, in order. */
  readonly events: readonly string[]
  readonly check?: (answer: Answer, given: Given, server: TestServer) => void | Promise<void>
}

let ofTheFile: Promise<TestServer> | null = null
afterAll(async () => (await ofTheFile)?.close())

/** One for all tests of a file, with `run.sh` in its library; a further one takes a while to start. */
export function serverOfTheFile(): Promise<TestServer> {
  ofTheFile ??= openServer().then(async (server) => {
    await server.upload('run.sh')
    return server
  })
  return ofTheFile
}

export function scenarios<Given>(
  title: string,
  subject: Subject<Given>,
  list: readonly Scenario<Given>[],
): void {
  const firstSuccess = list.findIndex(({ status }) => status < 400)
  const late = list.slice(firstSuccess).find(({ status }) => firstSuccess >= 0 && status >= 400)
  if (late !== undefined) throw new Error(`refusals come first: ${late.name}`)
  describe(title, () => {
    let server: TestServer
    beforeAll(async () => {
      server = await (subject.fresh ? openServer() : serverOfTheFile())
    })
    if (subject.fresh) afterAll(() => server.close())
    for (const scenario of list) test(scenario.name, () => play(server, subject, scenario))
  })
}

async function play<Given>(
  server: TestServer,
  subject: Subject<Given>,
  scenario: Scenario<Given>,
): Promise<void> {
  const given = await (scenario.given ?? subject.given)(server)
  const who = scenario.as === undefined ? subject.as : scenario.as
  const token = who && (await server.tokenAs(scenario.named ?? anyone, ...who))
  const path = (scenario.path ?? subject.path)(given)
  const body = typeof scenario.body === 'function' ? scenario.body(given) : scenario.body
  const before = server.history.last()
  const { headers = {} } = scenario
  const answer = await server.ask({
    method: subject.method,
    path,
    token,
    headers,
    ...(body !== undefined && { body }),
  })

  assert.equal(answer.status, scenario.status, answer.text.slice(0, 500))
  checkDialect(answer)
  if (scenario.code !== undefined) checkError(answer, scenario.code, scenario.says)
  if (scenario.reply !== undefined) checkReply(answer, scenario.reply)
  const kinds = server.history.events(before).map(({ kind }) => kind)
  assert.deepEqual(kinds, scenario.events, 'these events, and no others')
  await scenario.check?.(answer, given, server)
}

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

/** What holds of every answer (`wire.md` 8 and 18): a request id; JSON that says so; `error` exactly in errors. */
export function checkDialect({ status, headers, text, body }: Answer): void {
  const requestId = headers['request-id'] ?? ''
  assert.match(requestId, guid, 'the header request-id')
  if (status === 204) return assert.equal(text, '')
  // The one answer that is no JSON: how many there are (`wire.md` 7).
  if (status === 200 && headers['content-type']?.startsWith('text/plain') === true)
    return assert.match(text, /^\d+$/)
  // Ours, and no answer of the reference.
  if (status === 200 && headers['content-type'] === 'text/event-stream') return
  assert.match(headers['content-type'] ?? '', /^application\/json(; charset=utf-8)?$/)
  // The one answer that is no object is a bare count (`wire.md` 7).
  if (status === 200 && typeof body === 'number') return assert.match(text, /^\d+$/)
  assert.ok(typeof body === 'object' && body !== null, text)
  if (status < 400) return assert.ok(!('error' in body), 'no key "error" outside an error')
  assert.equal(text, JSON.stringify(body), 'compact JSON')
  assert.deepEqual(Object.keys(body), ['error'])
  const { error }: ErrorBody = JSON.parse(text)
  assert.deepEqual(Object.keys(error), ['code', 'message', 'target'])
  assert.equal(error.target, requestId, 'the target is the request id')
}

function checkReply({ text }: Answer, expected: Readonly<Record<string, unknown>>): void {
  const body: Record<string, unknown> = JSON.parse(text)
  const shown = Object.keys(expected).map((key) => [key, body[key]])
  assert.deepEqual(Object.fromEntries(shown), expected)
}

export function checkError(answer: Answer, code: string, says: Scenario<never>['says'] = []): void {
  const { error }: ErrorBody = JSON.parse(answer.text)
  assert.equal(error.code, code, answer.text)
  if (typeof says === 'string') assert.equal(error.message, says)
  else for (const pattern of says) assert.match(error.message, pattern)
}
