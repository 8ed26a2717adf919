/**
 * A real OpenID Connect provider as a process of its own: `node provider-process.mjs PORT KEYS`, KEYS its private JWKS. It says its
 * address when it listens. Whoever asks for a token may add claims to it (header `x-claims`, JSON), as an administrator of a provider can.
 */
import { createServer } from 'node:http'
import { permissions } from '@countermand/contract'
import { Provider } from 'oidc-provider'

const [port = '0', keys = ''] = process.argv.slice(2)

const server = createServer()
server.listen(Number(port), '127.0.0.1', () => {
  const issuer = `http://127.0.0.1:${server.address().port}`
  server.on('request', open(issuer).callback())
  console.log(issuer)
})

function open(issuer) {
  const common = { token_endpoint_auth_method: 'none', id_token_signed_response_alg: 'RS256' }
  return new Provider(issuer, {
    jwks: JSON.parse(keys),
    clients: [
      {
        client_id: 'playbook',
        client_secret: 'the-secret-of-the-playbook',
        grant_types: ['client_credentials'],
        redirect_uris: [],
        response_types: [],
      },
      {
        ...common,
        client_id: 'console',
        grant_types: ['authorization_code'],
        redirect_uris: ['https://console.example/signed-in'],
        response_types: ['code'],
      },
    ],
    features: {
      clientCredentials: { enabled: true },
      devInteractions: { enabled: true },
      resourceIndicators: {
        enabled: true,
        useGrantedResource: () => true,
        getResourceServerInfo: (_context, resource) => ({
          scope: permissions.join(' '),
          audience: resource,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: 'RS256' } },
        }),
      },
    },
    extraTokenClaims: (context) => JSON.parse(context.get('x-claims') || '{}'),
    pkce: { required: () => true },
    cookies: { keys: ['of a test'] },
  })
}
