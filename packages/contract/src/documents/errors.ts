import { Type } from 'typebox'
import type { Reply } from './shape.ts'

/** Every refusal has this body (`wire.md` 8). */
export const ErrorBody = Type.Object({
  error: Type.Object({
    code: Type.String({ description: 'one of the codes of the status; stable' }),
    message: Type.String({ description: 'words for a person; they may change' }),
    target: Type.String({ description: 'the id of this answer, also in the header Request-Id; quote it' }),
  }),
})

const means: Readonly<Record<string, string>> = {
  BadRequest: 'the request cannot be done as it stands',
  InvalidInput: 'a value is not what it should be',
  InvalidRequestBody: 'the body is no JSON, or does not fit',
  MissingRequiredParameter: 'something required is missing',
  InvalidHashValue: 'a hash is not what it should be',
  InvalidIpAddress: 'an address is none',
  MaximumBatchSizeExceeded: 'too many at once',
  ODataError: 'a query option that is not known, or cannot be read',
  OsPlatformNotSupported: 'the machine cannot do this',
  ClientVersionNotSupported: 'the agent is too old for this',
  ActiveRequestAlreadyExists: 'an action of this kind is open on the machine',
  Unauthorized: 'no token, or one that is not valid',
  Forbidden: 'the token lacks every permission that would do',
  DisabledFeature: 'it is not part of the plan that this server is set to',
  DisallowedOperation: 'it is not allowed here',
  NotFound: 'nothing answers at this address, or there is nothing to give yet',
  ResourceNotFound: 'what the path names is not there',
  Conflict: 'it is not as the request takes it to be; of a cancel, `countermand.current` says how it is',
  RequestTimeout: 'the body came too slowly',
  RequestEntityTooLarge: 'the body is too large',
  TooManyRequests: 'a limit is reached; wait as long as Retry-After says',
  InternalServerError: 'a fault of the server',
  ServiceUnavailable: 'disk or database cannot be used; ask again',
}

const titles: Readonly<Record<string, string>> = {
  400: 'Refused as it stands.',
  401: 'Not authenticated.',
  403: 'Not permitted.',
  404: 'Not found.',
  408: 'Too slow.',
  409: 'Somebody else was first.',
  413: 'Too large.',
  429: 'Too many requests.',
  500: 'A fault.',
  503: 'Not to be served now.',
}

/** The statuses that an operation can answer, beside its own. */
export function statusesOf(row: {
  readonly target: string
  readonly takesBody: boolean
  readonly mayConflict: boolean
}): string[] {
  const found = ['400', '401', '403', '429', '500', '503']
  if (row.target !== 'none') found.push('404')
  if (row.mayConflict) found.push('409')
  if (row.takesBody) found.push('408', '413')
  return found.toSorted()
}

/** One reply for each status, from the table of refusals. */
export function errorReplies(codes: Readonly<Record<string, number>>): Record<string, Reply> {
  return Object.fromEntries(
    Object.entries(titles).map(([status, title]): [string, Reply] => {
      const here = Object.keys(codes).filter((code) => codes[code] === Number(status))
      const lines = here.map((code) => `- \`${code}\`: ${means[code] ?? 'see the message'}`)
      const [code = 'BadRequest'] = here
      const example = { error: { code, message: '…', target: '0b2f6c1e-1c1a-4d02-9f6f-8c2a0a1f7b10' } }
      return [
        `Error${status}`,
        {
          description: `${title}\n\n${lines.join('\n')}`,
          ...(status === '429' && { headers: { 'Retry-After': retryAfter } }),
          content: { 'application/json': { schema: { $ref: '#/components/schemas/Error' }, example } },
        },
      ]
    }),
  )
}

const retryAfter = { description: 'whole seconds', schema: { type: 'integer' } }
