/** What is refused of every call about one machine, whatever it asks for; expected values after `wire.md` 4 and 8. */
import type { TestDevice } from './device.ts'
import type { Scenario } from './scenarios.ts'

type Body = NonNullable<Scenario<TestDevice>['body']>

export const refused = (name: string, body: Body, code: string, says: RegExp): Scenario<TestDevice> => ({
  name: `${name} is refused`,
  body,
  status: 400,
  code,
  says: [says],
  events: [],
})

/** `tail`: what stands behind the machine's id, its slash included. `body`: one with which nothing is wrong. */
export const refusalsOfEvery = (tail: string, body: Body): readonly Scenario<TestDevice>[] => [
  { name: 'without a token is refused', as: null, body, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'for an unknown machine is 404, before the body is looked at',
    path: () => `/api/machines/elastic-connector-test${tail}`,
    body: 'not JSON',
    status: 404,
    code: 'ResourceNotFound',
    says: 'Machine elastic-connector-test was not found',
    events: [],
  },
  {
    name: 'for a machine by its name is 404',
    path: ({ name }) => `/api/machines/${name}${tail}`,
    body,
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
  refused('what is not JSON', 'not JSON', 'InvalidRequestBody', /not JSON/),
]
