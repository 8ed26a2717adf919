/** There are no alerts here, and clients try their connection by asking for them (`wire.md` 1.5 and 18). */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { enrol, type TestDevice } from '../testing/device.ts'
import { checkDialect, checkError, scenarios, serverOfTheFile, type Scenario } from '../testing/scenarios.ts'
import type { Asked } from '../testing/server.ts'

const empty: Scenario<TestDevice>['check'] = ({ text }) => {
  assert.match(text, /^\{"@odata\.context":"http:\/\/localhost:80\/api\/\$metadata#Alerts","value":\[\]\}$/)
}
const zero: Scenario<TestDevice>['check'] = ({ text }) => assert.equal(text, '0')
const answers = (name: string, path: Scenario<TestDevice>['path'], check = empty): Scenario<TestDevice> => ({
  name,
  ...(path !== undefined && { path }),
  status: 200,
  events: [],
  check,
})

const subject = {
  method: 'GET',
  given: (server: Parameters<typeof enrol>[0]) => enrol(server, { name: 'Ws-Alert.Example' }),
  as: ['Alert.Read.All'],
} as const

const unpermitted: Scenario<TestDevice> = {
  name: 'with a permission to read machines is refused, in the words that clients match on',
  as: ['Machine.Read.All'],
  status: 403,
  code: 'Forbidden',
  says:
    'The application does not have any of the required application permissions ' +
    '(Alert.Read.All, Alert.ReadWrite.All) to access the resource.',
  events: [],
}

scenarios('GET /api/alerts', { ...subject, path: () => '/api/alerts' }, [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  unpermitted,
  answers('is an empty collection', undefined),
  answers('is empty for the newest one', () => '/api/alerts?$top=1'),
  answers('is empty whatever it is filtered by, however that is written', () =>
    "/api/alerts?$filter=lastEventTime+ge+2026-02-03T04:05:06Z%20and%20status in ('New')&%24expand=evidence&$top=10000".replaceAll(
      ' in ',
      '%20in%20',
    ),
  ),
  answers('is empty under the version and with a slash', () => '/API/v1.0/Alerts/'),
  answers(
    'counts itself where that is asked for',
    () => '/api/alerts?$count=true',
    ({ body }) => assert.equal((body as Record<string, unknown>)['@odata.count'], 0),
  ),
  answers('has the bare count 0', () => '/api/alerts/$count', zero),
  answers(
    'has the bare count 0 where the sign is escaped, and with a filter',
    () => "/api/alerts/%24count?$filter=a%20eq%20'b'",
    zero,
  ),
])

scenarios(
  'GET /api/machines/:id/alerts',
  { ...subject, path: ({ machineId }) => `/api/machines/${machineId}/alerts` },
  [
    { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
    unpermitted,
    ...['/alerts', '/alerts/$count'].map((tail): Scenario<TestDevice> => ({
      name: `${tail} of an unknown machine is 404`,
      path: () => `/api/machines/elastic-connector-test${tail}`,
      status: 404,
      code: 'ResourceNotFound',
      says: 'Machine elastic-connector-test was not found',
      events: [],
    })),
    answers('is an empty collection', undefined),
    answers('is found by the computer name', ({ name }) => `/api/machines/${name}/Alerts?$top=1`),
    answers('has the bare count 0', ({ machineId }) => `/api/machines/${machineId}/alerts/$count`, zero),
  ],
)

/** `docs/compatibility.md`. */
describe('an investigation is not ours', () => {
  const requests: readonly (readonly [Asked['method'], string])[] = [
    ['GET', '/api/investigations'],
    ['GET', '/api/investigations/17'],
    ['GET', '/api/v1.0/investigations?$filter=state%20eq%20%27Running%27'],
    ['POST', '/api/machines/elastic-connector-test/startInvestigation'],
  ]
  test.each(requests)('%s %s is 404 with the literal text', async (method, path) => {
    const server = await serverOfTheFile()
    const token = await server.token('Alert.ReadWrite.All')
    const answer = await server.ask({
      method,
      path,
      token,
      ...(method === 'POST' && { body: { Comment: 'x' } }),
    })
    assert.equal(answer.status, 404, answer.text)
    checkDialect(answer)
    checkError(
      answer,
      'NotFound',
      `No HTTP resource was found that matches the request URI 'http://localhost:80${path}'.`,
    )
  })
})
