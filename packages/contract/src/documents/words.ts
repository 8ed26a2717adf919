import type { Operation } from '../operation.ts'

export const tags = [
  {
    name: 'Machine actions',
    description: 'Read what was asked of machines, take it back, fetch what it brought.',
  },
  { name: 'Response', description: 'Ask something of a machine. What is answered is a machine action.' },
  { name: 'Machines', description: 'The machines and what is known of them.' },
  { name: 'Live response library', description: 'Scripts and files for live responses.' },
  { name: 'Countermand', description: 'Ours: the reference has nothing like it.' },
  { name: 'Others', description: 'Of other families of the reference.' },
] as const

/** By what the path begins with. */
export function tagOf({ path, method, status }: Operation): (typeof tags)[number]['name'] {
  if (path.startsWith('/api/countermand/')) return 'Countermand'
  if (path.startsWith('/api/machineactions')) return 'Machine actions'
  if (path.startsWith('/api/libraryfiles')) return 'Live response library'
  if (path.startsWith('/api/machines')) return method === 'POST' && status === 201 ? 'Response' : 'Machines'
  return 'Others'
}

export const aboutApi = `Countermand speaks the machine-action API of Microsoft Defender for Endpoint. A client that was written for it works here with another base URL and another token URL.

- \`/api/v1.0/…\` is the same as \`/api/…\`. Paths match in any case; names in a JSON body do not.
- Every call needs a bearer token of the OAuth 2.0 client credentials grant. Any one of the permissions named is enough.
- The checks come in this order: token, permission, limit, existence, body. So an unknown id is 404 whatever was sent.
- Limits are those of the reference, and count per application; a server may have others configured. Beyond them the answer is 429 with \`Retry-After\`.
- Every error has the same body, with a code that does not change and the id of the answer.
- Times are UTC. Fields and options that are not named here are not there.

Without a token: \`/healthz\`, \`/readyz\`, \`/openapi.json\`, \`/reference\`, the token endpoint, what it publishes about itself, and links that were given out.`
