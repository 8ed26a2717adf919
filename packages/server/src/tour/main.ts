/** `npm run tour`: the printed steps played against the running server, each request and answer shown. */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { parseArgs } from 'node:util'
import { cancelBody, runBody, scope, scriptName, scriptText } from './script.ts'

interface Credentials {
  readonly apiUrl: string
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: string
  readonly machineId: string | null
}
type Json = Readonly<Record<string, unknown>>

const say = (line = ''): void => console.log(line)
const step = (number: number, title: string): void => say(`\n── ${number}. ${title}`)

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { data: { type: 'string' } } })
  const folder = resolve(values.data ?? process.env.COUNTERMAND_DATA ?? 'data')
  const credentials = await readCredentials(folder)
  if (credentials.machineId === null) throw new Error('This server was started without an agent: start it without --no-agent.')

  step(1, 'A token, as from Entra ID')
  const { clientId, clientSecret } = credentials
  const form = new URLSearchParams({ grant_type: 'client_credentials', client_id: clientId, client_secret: clientSecret, scope })
  say(`POST ${credentials.tokenUrl}\n  grant_type=client_credentials&client_id=${clientId}&client_secret=…&scope=${scope}`)
  const token = await answerOf(await fetch(credentials.tokenUrl, { method: 'POST', body: form }))
  const access = String(token.access_token)
  show({ ...token, access_token: `${access.slice(0, 24)}…` })
  const api = client(credentials.apiUrl, access)

  step(2, 'A script for the library: it would run for ever')
  const upload = new FormData()
  upload.set('file', new File([scriptText], scriptName))
  upload.set('OverrideIfExists', 'true')
  show(await api('POST', '/api/libraryfiles', upload))

  step(3, 'Run it on this host')
  const action = await api('POST', `/api/machines/${credentials.machineId}/runliveresponse`, runBody)
  show(action)
  const path = `/api/machineactions/${String(action.id)}`

  step(4, 'Look: it runs')
  show(await untilRunning(() => api('GET', path)))

  step(5, 'Wrong button: take it back')
  show(await api('POST', `${path}/cancel`, cancelBody))

  step(6, 'The proof, and the device’s own words for it')
  await showProof(api, path, String(action.id))
}

/** Shows the end that has been reached and who says so; the statement is the device's signed sync, verbatim. */
async function showProof(api: Api, path: string, id: string): Promise<void> {
  const end = await until(() => api('GET', path), ({ status }) => status !== 'Pending' && status !== 'InProgress')
  const events = (await api('GET', `/api/countermand/actions/${id}/events`)).value as readonly Json[]
  for (const { sequence, at, kind, actor } of events) say(`  ${String(sequence).padStart(4)}  ${String(at)}  ${String(kind)}  ${String(actor ?? '')}`)
  const said = events.findLast(({ kind }) => kind === 'action.cancelled')?.statement
  if (typeof said === 'string') {
    say(`\nThe device's statement (a JWS by its own key):\n${said}\n\nwhich says:`)
    const { seq, previous, news } = JSON.parse(Buffer.from(said.split('.')[1] ?? '', 'base64url').toString()) as Json
    show({ seq, previous, news })
  }
  const { status, countermand } = end as { status: string; countermand: Json }
  say()
  show({ status, proof: countermand.proof, effect: countermand.effect, cancel: countermand.cancel })
  if (status !== 'Cancelled') throw new Error(`The action ended as ${status}.`)
}

async function readCredentials(folder: string): Promise<Credentials> {
  const text = await readFile(join(folder, 'credentials.json'), 'utf8').catch(() => {
    throw new Error(`There are no credentials in ${folder}: run "npm start" in another terminal first (or give --data DIR).`)
  })
  return JSON.parse(text) as Credentials
}

type Api = (method: string, path: string, body?: object) => Promise<Json>

const client =
  (base: string, token: string): Api =>
  async (method, path, body) => {
    say(`${method} ${base}${path}${body === undefined || body instanceof FormData ? '' : `\n  ${JSON.stringify(body)}`}`)
    const headers = { authorization: `Bearer ${token}`, ...(!(body instanceof FormData) && { 'content-type': 'application/json' }) }
    const sent = body instanceof FormData ? body : JSON.stringify(body)
    return answerOf(await fetch(base + path, { method, headers, ...(body !== undefined && { body: sent ?? '' }) }))
  }

async function answerOf(response: Response): Promise<Json> {
  const answer = (await response.json()) as Json
  say(`→ ${response.status}`)
  if (!response.ok) throw new Error(JSON.stringify(answer))
  return answer
}

const show = (value: unknown): void => say(JSON.stringify(value, null, 2))

const untilRunning = (look: () => Promise<Json>): Promise<Json> => until(look, ({ status }) => status !== 'Pending')

async function until(look: () => Promise<Json>, isSo: (answer: Json) => boolean): Promise<Json> {
  for (let tries = 1; ; tries += 1) {
    const answer = await look()
    if (isSo(answer) || tries === 60) return answer
    await pause(500)
  }
}

main().catch((thrown: unknown) => {
  const refused = thrown instanceof Error && thrown.cause !== undefined ? ` (${String(thrown.cause)})` : ''
  console.error(`\nThe tour stopped: ${thrown instanceof Error ? thrown.message : String(thrown)}${refused}`)
  process.exit(1)
})
