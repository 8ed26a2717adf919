/** Every kind of token: one that may do all, some that may do little, and many that are none. */
import { operations, type Operation } from '@countermand/contract'
import { hour, type TestServer } from '../../packages/server/src/testing/server.ts'
import type { Token } from './words.ts'

const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

const bearer = (kind: string, token: string): Token => ({ kind, text: `Bearer ${token}` })

export async function tokensOf(server: TestServer): Promise<readonly [Token, ...Token[]]> {
  const rows: readonly Operation[] = Object.values(operations)
  const every = [...new Set(rows.flatMap(({ permission }) => permission.app))]
  const right = await server.token(...every)
  const [head = '', payload = '', signature = ''] = right.split('.')
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Record<string, unknown>
  const { now } = server.clock
  const sign = (more: object, at = now): Promise<string> =>
    server.app.signer.signToken({ ...claims, ...more }, hour, at)
  return [
    bearer('right', right),
    bearer('may read', await server.token('Machine.Read.All')),
    bearer('may nothing', await server.token('User.Read.All')),
    bearer('expired', await sign({ iat: 1, nbf: 1, exp: 2 }, new Date(now.getTime() - 2 * hour))),
    bearer('another audience', await sign({ aud: 'https://graph.microsoft.com' })),
    bearer('without roles', await sign({ roles: 'Machine.Read.All' })),
    bearer('alg none', `${part({ alg: 'none', typ: 'JWT' })}.${payload}.`),
    bearer('changed', `${head}.${part({ ...claims, appid: 'x' })}.${signature}`),
    bearer('cut', `${head}.${payload}.${signature.slice(1)}`),
    bearer('garbage', 'a.b.c'),
    bearer('long', 'x'.repeat(9_000)),
    { kind: 'another scheme', text: 'Basic eDp5' },
    { kind: 'none', text: null },
  ]
}
