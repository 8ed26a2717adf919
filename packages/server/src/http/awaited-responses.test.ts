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
const sha1 = '0123456789abcdef0123456789ABCDEF01234567'
const quarantine = ['Machine.StopAndQuarantine', 'Machine.Read.All']

const rows: readonly Row[] = [
  [
    'StopAndQuarantineFile',
    quarantine,
    { ...comment, Sha1: sha1 },
    'ClientVersionNotSupported',
    newer('StopAndQuarantineFile'),
  ],
]

const more: Readonly<Record<string, readonly Scenario<TestDevice>[]>> = {
  StopAndQuarantineFile: [
    refused('without a hash', comment, 'MissingRequiredParameter', /Sha1/),
    ...['', 'x', sha1.slice(1), `${sha1}0`, `${sha1}\n`, 'g'.repeat(40)].map((Sha1) =>
      refused(
        `with the hash ${JSON.stringify(Sha1)}`,
        { ...comment, Sha1 },
        'InvalidHashValue',
        /is not a SHA-1/,
      ),
    ),
    refused('with a hash that is no text', { ...comment, Sha1: 7 }, 'InvalidRequestBody', /Sha1/),
    {
      name: 'is found in the small letters of one client too',
      path: ({ machineId }) => `/api/machines/${machineId}/stopandquarantinefile`,
      body: { ...comment, Sha1: sha1 },
      status: 400,
      code: 'ClientVersionNotSupported',
      events: [],
    },
    {
      name: 'with one of the two permissions is refused, and the other one is named',
      as: ['Machine.StopAndQuarantine'],
      body: { ...comment, Sha1: sha1 },
      status: 403,
      code: 'Forbidden',
      says:
        'The application does not have any of the required application permissions ' +
        '(Machine.Read.All, Machine.ReadWrite.All) to access the resource.',
      events: [],
    },
  ],
}

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
    ...(more[tail] ?? []),
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
