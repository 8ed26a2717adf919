/** What no agent does yet: everything about the request is checked as for the rest, and then it is refused (`wire.md` 1.2, 8). */
import { enrol, type TestDevice } from '../testing/device.ts'
import { refusalsOfEvery, refused } from '../testing/machine-refusals.ts'
import { scenarios, type Scenario } from '../testing/scenarios.ts'

type Row = readonly [
  tail: string,
  permissions: readonly string[],
  body: object,
  refusal: string,
  says: RegExp,
]

const newer = (type: string): RegExp => new RegExp(`^${type} needs a newer agent`)
const comment = { Comment: 'case 17' }

const rows: readonly Row[] = [
  [
    'restrictCodeExecution',
    ['Machine.RestrictExecution'],
    comment,
    'ClientVersionNotSupported',
    newer('RestrictCodeExecution'),
  ],
  [
    'unrestrictCodeExecution',
    ['Machine.RestrictExecution'],
    comment,
    'ClientVersionNotSupported',
    newer('UnrestrictCodeExecution'),
  ],
  [
    'offboard',
    ['Machine.Offboard'],
    comment,
    'OsPlatformNotSupported',
    /^Offboard is not supported on Linux/,
  ],
]

for (const [tail, permissions, body, code, says] of rows) {
  const list: readonly Scenario<TestDevice>[] = [
    ...refusalsOfEvery(`/${tail}`, body),
    refused(
      'without a comment',
      {},
      'MissingRequiredParameter',
      /^The required parameter Comment is missing/,
    ),
    refused('with comment for Comment', { comment: 'x' }, 'InvalidRequestBody', /"comment".*"Comment"/),
    refused('with a comment that is no text', { ...body, Comment: 17 }, 'InvalidRequestBody', /Comment/),
    refused('that is right in everything', body, code, says),
    refused('with what nobody knows beside it', { ...body, ExternalId: 'a', Other: 1 }, code, says),
    refused('as JSON that calls itself nothing', JSON.stringify(body), code, says),
  ]
  scenarios(
    `POST /api/machines/:id/${tail}`,
    {
      method: 'POST',
      path: ({ machineId }) => `/api/machines/${machineId}/${tail}`,
      given: (server) => enrol(server),
      as: permissions,
    },
    list,
  )
}
