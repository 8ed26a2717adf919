/** `npm run tour`: the printed steps played against the running server, each request and answer shown. */
import { readFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { parseArgs } from 'node:util'
import { answerOf, client, say, show, showChange, type Action, type Api, type Entry } from './client.ts'
import { cancelBody, packageBody, runBody, scanBody, scope, scriptName, scriptText } from './script.ts'

interface Credentials {
  readonly apiUrl: string
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: string
  readonly machineId: string | null
  readonly caFile?: string | null
}

const step = (number: number, title: string): void => say(`\n── ${number}. ${title}`)

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { data: { type: 'string' } } })
  const credentials = await readCredentials(resolve(values.data ?? process.env.COUNTERMAND_DATA ?? 'data'))
  const { machineId, caFile } = credentials
  if (typeof caFile === 'string') await trust(caFile)
  if (machineId === null) throw new Error('This server runs without an agent: start it without --no-agent.')

  step(1, 'A token, as from Entra ID')
  const api = client(credentials.apiUrl, await askToken(credentials))

  step(2, 'A script for the library: it would run for ever')
  const upload = new FormData()
  upload.set('file', new File([scriptText], scriptName))
  upload.set('OverrideIfExists', 'true')
  show(await api('POST', '/api/libraryfiles', upload))

  step(3, 'On this host: a package of evidence, and a virus scan of everything')
  const collecting = await api<Action>(
    'POST',
    `/api/machines/${machineId}/collectInvestigationPackage`,
    packageBody,
  )
  const scanning = await tried(() =>
    api<Action>('POST', `/api/machines/${machineId}/runAntiVirusScan`, scanBody),
  )

  step(4, 'And a live response: put a file, run the script, fetch a file')
  const issued = await api<Action>('POST', `/api/machines/${machineId}/runliveresponse`, runBody)
  show(issued)
  const path = `/api/machineactions/${issued.id}`

  step(5, 'Look: it runs')
  const running = await until(
    () => api<Action>('GET', path),
    ({ countermand: { progress } }) => progress !== null,
  )
  showChange(issued, running)

  step(6, 'The package is there, behind a link for half an hour')
  await showPackage(api, collecting.id)

  step(7, 'Wrong buttons: take them back')
  if (scanning !== null)
    showEnd(await api<Action>('POST', `/api/machineactions/${scanning.id}/cancel`, cancelBody))
  const cancelled = await api<Action>('POST', `${path}/cancel`, cancelBody)
  showChange(running, cancelled)

  step(8, 'The proof, and the device’s own words for it')
  await showProof(api, issued.id)
}

/** Beside whatever this host trusts, for this process alone. */
async function trust(caFile: string): Promise<void> {
  setDefaultCACertificates([...getCACertificates('default'), await readFile(caFile, 'utf8')])
}

/** Null, and the server's words, where this host cannot do that. */
async function tried(issue: () => Promise<Action>): Promise<Action | null> {
  return issue().catch((thrown: unknown) => {
    const text = thrown instanceof Error ? thrown.message : String(thrown)
    if (!text.includes('ClientVersionNotSupported')) throw thrown
    say(text)
    return null
  })
}

async function showPackage(api: Api, id: string): Promise<void> {
  let shown = ''
  const end = await until(
    () => api<Action>('GET', `/api/machineactions/${id}`),
    ({ status, countermand: { progress } }) => {
      const line = JSON.stringify({ status, progress })
      if (line !== shown) say(`  ${line}`)
      shown = line
      return status !== 'Pending' && status !== 'InProgress'
    },
  )
  if (end.status !== 'Succeeded') return say('  it takes its time; its link comes when it is Succeeded')
  show(await api('GET', `/api/machineactions/${id}/getPackageUri`))
}

function showEnd({ status, countermand: { proof } }: Action): void {
  say(JSON.stringify({ status, proof }))
}

async function askToken({ tokenUrl, clientId, clientSecret }: Credentials): Promise<string> {
  const asked = { grant_type: 'client_credentials', client_id: clientId, scope }
  say(`POST ${tokenUrl}\n  ${decodeURIComponent(String(new URLSearchParams(asked)))}&client_secret=…`)
  const body = new URLSearchParams({ ...asked, client_secret: clientSecret })
  const token = await answerOf<{ access_token: string }>(await fetch(tokenUrl, { method: 'POST', body }))
  show({ ...token, access_token: `${token.access_token.slice(0, 24)}…` })
  return token.access_token
}

/** The end that has been reached, and who says so; the statement is the device's signed sync, verbatim. */
async function showProof(api: Api, id: string): Promise<void> {
  const end = await until(
    () => api<Action>('GET', `/api/machineactions/${id}`),
    ({ status }) => status !== 'Pending' && status !== 'InProgress',
  )
  const { value: events } = await api<{ value: Entry[] }>('GET', `/api/countermand/actions/${id}/events`)
  for (const { sequence, at, kind, actor } of events) say(`  ${sequence}  ${at}  ${kind}  ${actor ?? ''}`)
  const statement = events.findLast(({ kind }) => kind === 'action.cancelled')?.statement ?? null
  if (statement !== null) {
    say(`\nThe device's statement, a JWS by its own key:\n${statement}\n\nwhich says:`)
    const said: { seq: number; news: object[] } = JSON.parse(
      Buffer.from(statement.split('.')[1] ?? '', 'base64url').toString(),
    )
    show({ seq: said.seq, news: said.news })
  }
  const { proof, effect } = end.countermand
  say(`\n{"status":"${end.status}","proof":${JSON.stringify(proof)},"effect":${JSON.stringify(effect)}}`)
  if (end.status !== 'Cancelled') throw new Error(`The action ended as ${end.status}.`)
}

async function readCredentials(folder: string): Promise<Credentials> {
  const text = await readFile(join(folder, 'credentials.json'), 'utf8').catch(() => {
    throw new Error(
      `No credentials.json in ${folder}: "npm start" in another terminal first, or give --data DIR.`,
    )
  })
  const credentials: Credentials = JSON.parse(text)
  return credentials
}

/** Asks once a second, for three quarters of a minute: within the limit on reading, and while a pretended script still runs. */
async function until<T>(look: () => Promise<T>, isSo: (answer: T) => boolean): Promise<T> {
  for (let tries = 1; ; tries += 1) {
    const answer = await look()
    if (isSo(answer) || tries === 45) return answer
    await pause(1_000)
  }
}

main().catch((thrown: unknown) => {
  const { message, cause } = thrown instanceof Error ? thrown : new Error(String(thrown))
  console.error(`\nThe tour stopped: ${message}${cause instanceof Error ? ` (${cause.message})` : ''}`)
  if (message.includes('ActiveRequestAlreadyExists')) {
    console.error(
      'An earlier action on this device is still open: cancel it first (GET /api/machineactions shows it).',
    )
  }
  process.exit(1)
})
