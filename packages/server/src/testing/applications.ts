/** An application that tests administer, and how they ask about it. */
import type { Scenario } from './scenarios.ts'
import { expectStatus, type Answer, type Asked, type Client, type TestServer } from './server.ts'

export interface Given {
  /** Of an application that may read machines, and answer for nothing else. */
  readonly client: Client
}

export interface Shown {
  readonly clientId: string
  readonly displayName: string
  readonly enabled: boolean
  readonly permissions: readonly string[]
  readonly passwordCredentials: readonly {
    readonly keyId: string
    readonly hint: string | null
    readonly startDateTime: string | null
    readonly endDateTime: string | null
  }[]
  readonly secretText?: string
}

/** The caller's permissions. */
export const as = ['Countermand.Administer']
export const path = '/api/countermand/applications'
export const of = ({ client }: Given): string => `${path}/${client.id}`
export const given = async (server: TestServer): Promise<Given> => ({
  client: await server.client(['Machine.Read.All']),
})
export const unknown = '00000000-0000-4000-8000-000000000000'

export const ask = async <Body = Shown>(
  server: TestServer,
  method: Asked['method'],
  at: string,
  body?: object,
): Promise<Answer<Body>> =>
  server.ask<Body>({ method, path: at, token: await server.token(...as), ...(body && { body }) })
export const shown = async (server: TestServer, { id }: Client): Promise<Shown> =>
  expectStatus(200, await ask(server, 'GET', `${path}/${id}`))
export const keysOf = async (server: TestServer, client: Client): Promise<readonly string[]> =>
  (await shown(server, client)).passwordCredentials.map(({ keyId }) => keyId)

/** What its own tokens are good for. */
export const machines = async (server: TestServer, token: string): Promise<number> =>
  (await server.ask({ method: 'GET', path: '/api/machines', token })).status

export async function askToken(server: TestServer, id: string, secret: string): Promise<readonly unknown[]> {
  const form = { grant_type: 'client_credentials', client_id: id, client_secret: secret }
  const resource = 'https://api.securitycenter.microsoft.com'
  const body = new URLSearchParams({ ...form, resource }).toString()
  const answer = await server.ask<{ error?: string; error_codes?: number[] }>({
    method: 'POST',
    path: `/${server.app.identity.tenantId}/oauth2/token`,
    body,
  })
  return [answer.status, answer.body.error ?? 'a token', answer.body.error_codes?.[0] ?? 0]
}

export const notPermitted = <Of extends Given = Given>(subject: string): readonly Scenario<Of>[] => [
  { name: `${subject} without a token is refused`, as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: `${subject} without the permission to administer is refused`,
    as: ['Machine.ReadWrite.All', 'Machine.LiveResponse', 'Library.Manage', 'Countermand.Force'],
    status: 403,
    code: 'Forbidden',
    says: 'The application does not have any of the required application permissions (Countermand.Administer) to access the resource.',
    events: [],
  },
]
export const missing: Scenario<Given> = {
  name: 'of an application that there is not is 404, whatever was sent',
  path: () => `${path}/${unknown}`,
  body: 'x',
  status: 404,
  code: 'ResourceNotFound',
  says: `Application ${unknown} was not found`,
  events: [],
}
