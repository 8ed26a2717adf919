/** Starts `provider-process.mjs`, and gets tokens of it as applications and browsers do. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { createInterface } from 'node:readline'
import { exportJWK, generateKeyPair, type JWK } from 'jose'

/** What our server is called at the provider. */
export const resource = 'api://countermand'
export const returnsTo = 'https://console.example/signed-in'

export interface Wish {
  /** What the token is for; ours where it is left out. */
  readonly audience?: string
  /** Blank-separated. */
  readonly scope?: string
  /** Claims that the provider puts in beside its own. */
  readonly claims?: Readonly<Record<string, unknown>>
}

export interface Tokens {
  readonly access_token: string
  readonly id_token?: string
}

export interface TestProvider {
  readonly issuer: string
  /** An application's own: the client credentials grant of the client `playbook`. */
  appToken(wish?: Wish): Promise<string>
  /** A person's: signs in through the client `console`, with the authorization code grant and PKCE. */
  userTokens(user: string, wish?: Wish): Promise<Tokens>
  /** Ends the process. Its address answers nothing then. */
  stop(): Promise<void>
  /** Starts it again at the same address, with these keys: it signs by the first, and publishes all. */
  start(keys: readonly JWK[]): Promise<void>
}

export async function makeKey(kid: string): Promise<JWK> {
  const { privateKey } = await generateKeyPair('RS256', { extractable: true })
  return { ...(await exportJWK(privateKey)), kid, use: 'sig', alg: 'RS256' }
}

export async function openProvider(keys: readonly JWK[]): Promise<TestProvider> {
  let running = await launch('0', keys)
  const { issuer } = running
  const port = new URL(issuer).port
  return {
    issuer,
    appToken: async (wish = {}) => (await askForToken(issuer, appForm(wish), wish.claims)).access_token,
    userTokens: (user, wish = {}) => signIn(issuer, user, wish),
    stop: () => end(running.process),
    start: async (others) => void (running = await launch(port, others)),
  }
}

async function launch(
  port: string,
  keys: readonly JWK[],
): Promise<{ readonly process: ChildProcess; readonly issuer: string }> {
  const program = fileURLToPath(new URL('./provider-process.mjs', import.meta.url))
  const child = spawn(process.execPath, [program, port, JSON.stringify({ keys })], {
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  for await (const line of createInterface({ input: child.stdout })) return { process: child, issuer: line }
  throw new Error(`The provider ended with ${child.exitCode} before it listened.`)
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = once(child, 'exit')
  child.kill('SIGKILL')
  await ended
}

const appForm = ({ audience = resource, scope }: Wish): Record<string, string> => ({
  grant_type: 'client_credentials',
  client_id: 'playbook',
  client_secret: 'the-secret-of-the-playbook',
  resource: audience,
  ...(scope !== undefined && { scope }),
})

async function askForToken(
  issuer: string,
  form: Readonly<Record<string, string>>,
  claims: Wish['claims'] = {},
): Promise<Tokens> {
  const answer = await fetch(`${issuer}/token`, {
    method: 'POST',
    headers: { 'x-claims': JSON.stringify(claims) },
    body: new URLSearchParams(form),
  })
  if (!answer.ok) throw new Error(`${form.grant_type}: ${answer.status} ${await answer.text()}`)
  return (await answer.json()) as Tokens
}

async function signIn(
  issuer: string,
  user: string,
  { audience = resource, scope = '', claims }: Wish,
): Promise<Tokens> {
  const verifier = randomBytes(32).toString('base64url')
  const asked = new URLSearchParams({
    client_id: 'console',
    response_type: 'code',
    redirect_uri: returnsTo,
    scope: `openid ${scope}`.trim(),
    resource: audience,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'),
    code_challenge_method: 'S256',
  })
  const code = await browse(`${issuer}/auth?${asked.toString()}`, user)
  const form = {
    grant_type: 'authorization_code',
    client_id: 'console',
    redirect_uri: returnsTo,
    code,
    code_verifier: verifier,
  }
  return askForToken(issuer, form, claims)
}

/** A browser with a person before it: follows, keeps cookies, signs in and consents, until it is sent back with a code. */
async function browse(first: string, user: string): Promise<string> {
  const cookies = new Map<string, string>()
  let url = first
  let form: URLSearchParams | null = null
  for (let page = 0; page < 12; page++) {
    const cookie = [...cookies].map((pair) => pair.join('=')).join('; ')
    const answer: Response = await fetch(url, {
      method: form === null ? 'GET' : 'POST',
      redirect: 'manual',
      headers: { cookie },
      ...(form !== null && { body: form }),
    })
    for (const line of answer.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? []
      cookies.set(name, value)
    }
    form = null
    const next = answer.headers.get('location')
    const text = await answer.text()
    if (next !== null) url = new URL(next, url).href
    else if (text.includes('value="login"'))
      form = new URLSearchParams({ prompt: 'login', login: user, password: 'any' })
    else if (text.includes('value="consent"')) form = new URLSearchParams({ prompt: 'consent' })
    else throw new Error(`${url}: ${answer.status} ${text.slice(0, 2_000)}`)
    if (!url.startsWith(returnsTo)) continue
    const code = new URL(url).searchParams.get('code')
    if (code === null) throw new Error(`The provider sent back: ${url}`)
    return code
  }
  throw new Error('The provider asks on and on.')
}
