/** API tokens, links and tickets: forged, changed, taken for each other. RFC 8725 by its sections. */
import { createHmac, createPrivateKey, createPublicKey } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { SignJWT, exportJWK, generateKeyPair } from 'jose'
import { enrol } from '../../packages/server/src/testing/device.ts'
import { broughtTo } from '../../packages/server/src/testing/given.ts'
import { partHeaders } from '../../packages/server/src/testing/parts.ts'
import {
  hour,
  minute,
  runScript,
  type Asked,
  type TestServer,
} from '../../packages/server/src/testing/server.ts'
import { attacks, stage, type Attack } from './stage.ts'

const on = stage()
const part = (value: object): string => Buffer.from(JSON.stringify(value)).toString('base64url')

/** What would run a script on a device, were the token good. */
async function issueWith(server: TestServer, token: string): Promise<Asked> {
  const { machineId } = await enrol(server)
  const body = { Comment: 'x', Commands: [runScript('run.sh')] }
  return { method: 'POST', path: `/api/machines/${machineId}/runliveresponse`, token, body }
}

type Claims = Readonly<Record<string, unknown>>
const rightToken = (server: TestServer): Promise<string> =>
  server.token('Machine.LiveResponse', 'Library.Manage')
async function rightClaims(server: TestServer): Promise<Claims> {
  const claims: Claims = JSON.parse(
    Buffer.from((await rightToken(server)).split('.')[1] ?? '', 'base64url').toString(),
  )
  return claims
}

/** With the server's own key: what is refused is refused for what it says, not for its signature. */
const byOurKey = async (server: TestServer, claims: Claims, header: object = {}): Promise<string> => {
  const key = createPrivateKey({
    key: JSON.parse(readFileSync(join(server.folder, 'keys/token.jwk'), 'utf8')),
    format: 'jwk',
  })
  return new SignJWT({ ...claims })
    .setProtectedHeader({ alg: 'RS256', typ: 'JWT', ...header })
    .sign(key, { crit: { x: true } })
}

/** With a key of the attacker's, to which the header points in one way or another. */
const byTheirs =
  (point: (jwk: object) => object): ((server: TestServer) => Promise<string>) =>
  async (server) => {
    const { privateKey, publicKey } = await generateKeyPair('RS256')
    const header = { alg: 'RS256', typ: 'JWT', ...point(await exportJWK(publicKey)) }
    return new SignJWT({ ...(await rightClaims(server)) }).setProtectedHeader(header).sign(privateKey)
  }

const without = (claims: Claims, name: string): Claims =>
  Object.fromEntries(Object.entries(claims).filter(([key]) => key !== name))

const forged = (name: string, token: (server: TestServer) => Promise<string>): Attack => ({
  name,
  by: 'anybody who reaches the port',
  status: 401,
  code: 'Unauthorized',
  send: async (server) => issueWith(server, await token(server)),
})
const changed = (name: string, change: (claims: Claims, server: TestServer) => Claims): Attack =>
  forged(name, async (server) => byOurKey(server, change(await rightClaims(server), server)))
const seconds = ({ clock }: TestServer): number => Math.floor(clock.now.getTime() / 1000)

attacks('an API token', on, [
  forged(
    'with alg none (3.1)',
    async (server) => `${part({ alg: 'none', typ: 'JWT' })}.${part(await rightClaims(server))}.`,
  ),
  forged('with alg HS256 and the public key for its secret (2.1)', async (server) => {
    const jwk: Record<string, string> = JSON.parse(
      readFileSync(join(server.folder, 'keys/token.jwk'), 'utf8'),
    )
    const pem = createPublicKey({ key: { kty: 'RSA', n: jwk.n ?? '', e: jwk.e ?? '' }, format: 'jwk' })
    const text = `${part({ alg: 'HS256', typ: 'JWT' })}.${part(await rightClaims(server))}`
    const secret = pem.export({ type: 'spki', format: 'pem' })
    return `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`
  }),
  forged(
    'that brings its own key as jwk (2.7)',
    byTheirs((jwk) => ({ jwk })),
  ),
  forged(
    'that names its key by jku (3.10)',
    byTheirs(() => ({ jku: 'http://127.0.0.1:1/keys' })),
  ),
  forged(
    'that names its key by x5u (3.10)',
    byTheirs(() => ({ x5u: 'http://127.0.0.1:1/cert' })),
  ),
  forged(
    'whose kid is a path',
    byTheirs(() => ({ kid: '../../../../dev/null' })),
  ),
  forged(
    'whose kid is SQL',
    byTheirs(() => ({ kid: "' or 1=1 --" })),
  ),
  forged('with a crit that nobody knows (RFC 7515 4.1.11)', async (server) =>
    byOurKey(server, await rightClaims(server), { crit: ['x'], x: 1 }),
  ),
  forged('of another kind by the same key (3.11)', async (server) =>
    byOurKey(server, await rightClaims(server), { typ: 'countermand-reply+jws' }),
  ),
  forged('without a kind (3.11)', async (server) =>
    byOurKey(server, await rightClaims(server), { typ: undefined }),
  ),
  forged('with the signature of another one', async (server) => {
    const [head, , signature] = (await server.token('User.Read.All')).split('.')
    return `${head}.${part(await rightClaims(server))}.${signature}`
  }),
  changed('by the same key for another issuer (3.8)', (claims) => ({
    ...claims,
    iss: 'https://sts.windows.net/x/',
  })),
  changed('that has expired', (claims, server) => ({ ...claims, exp: seconds(server) - 1 })),
  changed('that never expires', (claims) => without(claims, 'exp')),
  changed('that is not good yet', (claims, server) => ({ ...claims, nbf: seconds(server) + 600 })),
  changed('without audience (3.9)', (claims) => without(claims, 'aud')),
  changed('for several audiences, one of them ours (3.9)', ({ aud, ...claims }) => ({
    ...claims,
    aud: [aud, 'https://example.org'],
  })),
  changed('of no application', (claims) => without(claims, 'appid')),
  changed('of an application that there is not', (claims) => ({
    ...claims,
    appid: '00000000-0000-4000-8000-000000000000',
  })),
  {
    ...changed('for another audience (3.9)', (claims) => ({ ...claims, aud: 'https://graph.microsoft.com' })),
    status: 403,
    code: 'Forbidden',
  },
  {
    ...changed('with more permissions than the application has', (claims) => claims),
    name: 'that says more than its application may',
    by: 'a stolen application secret',
    status: 403,
    code: 'Forbidden',
    send: async (server) => {
      const { id } = await server.client(['Machine.Read.All'])
      return issueWith(server, await byOurKey(server, { ...(await rightClaims(server)), appid: id }))
    },
  },
  forged(
    'that is the ticket of a device',
    async (server) => (await broughtTo('running')(server)).device.ticket,
  ),
  forged('that is a link', async (server) => {
    const { id, device } = await broughtTo('running')(server)
    return (await device.link(id, { result: 0 })).split('/').at(-1) ?? ''
  }),
  forged('that is a statement', async (server) => (await (await enrol(server)).say()).jws),
])

/** What a link is in its two halves: what it is for and until when; and the mark. */
interface Halves {
  readonly what: string
  readonly mark: string
}
type Change = (link: Halves, server: TestServer) => Promise<string> | string

const get = (path: string): Asked => ({ method: 'GET', path })
const bring = (path: string): Asked => {
  const bytes = Buffer.from('planted')
  return { method: 'PATCH', path, body: bytes, headers: partHeaders({ offset: 0, bytes, whole: bytes }) }
}

async function downloadOf(server: TestServer): Promise<Halves> {
  const { id, device } = await broughtTo('running')(server)
  device.finish(id, 'succeeded', await device.upload(id, 'a result'))
  await device.sync()
  const path = `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`
  const token = await server.token('Machine.Read.All')
  const { body } = await server.ask<{ value: string }>({ method: 'GET', path, token })
  return halvesOf(body.value)
}
async function uploadOf(server: TestServer): Promise<Halves> {
  const { id, device } = await broughtTo('running')(server)
  return halvesOf(await device.link(id, { result: 0 }))
}
function halvesOf(link: string): Halves {
  const [what = '', mark = ''] = link.slice(link.lastIndexOf('/') + 1).split('.')
  return { what, mark }
}
const sealed = ({ what, mark }: Halves): string => `${what}.${mark}`
const flipped = (text: string, at: number): string => {
  const bytes = Buffer.from(text, 'base64url')
  bytes[at] = (bytes[at] ?? 0) ^ 1
  return bytes.toString('base64url')
}
const rewritten = (what: string, from: RegExp, by: string): string =>
  Buffer.from(Buffer.from(what, 'base64url').toString().replace(from, by)).toString('base64url')

const changes: Readonly<Record<string, Change>> = {
  'with a bit flipped in its first byte': ({ what, mark }) => sealed({ what: flipped(what, 0), mark }),
  'with a bit flipped in what it is for': ({ what, mark }) => sealed({ what: flipped(what, 40), mark }),
  'with a bit flipped in its mark': ({ what, mark }) => sealed({ what, mark: flipped(mark, 31) }),
  'whose end was put off': ({ what, mark }) => sealed({ what: rewritten(what, /^\d/, '9'), mark }),
  'that was cut short': (link) => sealed(link).slice(0, -3),
  'without its mark': ({ what }) => `${what}.`,
  'with an empty mark, and no dot': ({ what }) => what,
  'that is over': (link, server) => {
    server.clock.pass(30 * minute)
    return sealed(link)
  },
  'that is the ticket of a device': async (_link, server) =>
    (await broughtTo('running')(server)).device.ticket,
  'that is an API token': (_link, server) => rightToken(server),
}
const linked = (
  title: string,
  { make, other, ask }: { make: typeof uploadOf; other: typeof uploadOf; ask: (link: string) => Asked },
): void =>
  attacks(title, on, [
    ...Object.entries(changes).map(([name, change]): Attack => ({
      name,
      by: 'anybody who reaches the port',
      status: 403,
      code: 'Forbidden',
      send: async (server) => ask(await change(await make(server), server)),
    })),
    {
      name: 'to one thing with the mark of a link to another',
      by: 'a hostile device',
      status: 403,
      code: 'Forbidden',
      send: async (server) => {
        const [mine, theirs] = [await make(server), await make(server)]
        return ask(sealed({ what: theirs.what, mark: mine.mark }))
      },
    },
    {
      name: 'that was made for the other direction',
      by: 'a hostile device',
      status: 403,
      code: 'Forbidden',
      send: async (server) => ask(sealed(await other(server))),
    },
  ])
linked('a link to a result', { make: downloadOf, other: uploadOf, ask: (link) => get(`/download/${link}`) })
linked('a link to bring a result', {
  make: uploadOf,
  other: downloadOf,
  ask: (link) => bring(`/device/transfer/${link}`),
})

attacks('a link to bring a result', on, [
  {
    name: 'to another command of the same action',
    by: 'a hostile device',
    status: 403,
    code: 'Forbidden',
    send: async (server) => {
      const { what, mark } = await uploadOf(server)
      return bring(`/device/transfer/${sealed({ what: rewritten(what, /"index":0/, '"index":1'), mark })}`)
    },
  },
  {
    name: 'asked for another device’s action',
    by: 'a hostile device',
    status: 404,
    code: 'ResourceNotFound',
    send: async (server) => {
      const victim = await broughtTo('running')(server)
      const { device } = await broughtTo('running')(server)
      return {
        method: 'POST',
        path: `/device/actions/${victim.id}/link`,
        token: device.ticket,
        body: { result: 0 },
      }
    },
  },
  {
    name: 'asked for with a ticket that is a day old',
    by: 'whoever sits on the wire',
    status: 401,
    code: 'Unauthorized',
    send: async (server) => {
      const { id, device } = await broughtTo('running')(server)
      const { ticket } = device
      server.clock.pass(24 * hour)
      return { method: 'POST', path: `/device/actions/${id}/link`, token: ticket, body: { result: 0 } }
    },
  },
])
