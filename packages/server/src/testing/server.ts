/** A whole server over a temporary folder, asked without a socket, with a clock that stands until a test moves it. */
import { randomUUID } from 'node:crypto'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MachineAction } from '@countermand/contract'
import { makeEnrolmentToken } from '../app/enrolment-tokens.ts'
import type { App } from '../app/ports.ts'
import { compose, type Running } from '../compose.ts'
import { readConfig } from '../config/index.ts'
import type { Patience } from '../http/guard/connections.ts'
import { openHistory, type History } from './history.ts'
import { freshDatabase } from './postgres.ts'
import { openRows, type Rows } from './rows.ts'

export const minute = 60_000
export const hour = 60 * minute
export const day = 24 * hour
/** When every test begins. */
export const start = new Date('2026-02-03T04:05:06.120Z')

export interface Asked {
  readonly method: 'GET' | 'POST' | 'DELETE' | 'PUT' | 'PATCH' | 'HEAD'
  readonly path: string
  readonly token?: string | null
  readonly headers?: Readonly<Record<string, string>>
  /** Sent as it is, or as JSON when it is an object. */
  readonly body?: string | Buffer | object
}

export interface Answer<Body = unknown> {
  readonly status: number
  readonly headers: Readonly<Record<string, string | undefined>>
  readonly text: string
  readonly bytes: Buffer
  /** The text read as JSON; null where it is none. */
  readonly body: Body
}

export interface ErrorBody {
  readonly error: { readonly code: string; readonly message: string; readonly target: string }
}

export interface Client {
  readonly id: string
  readonly secret: string
  /** Written on actions as requestor. */
  readonly name: string
}

export interface Clock {
  now: Date
  pass(ms: number): void
}

export interface TestServer {
  readonly app: App
  readonly http: Running['http']
  readonly folder: string
  readonly clock: Clock
  readonly rows: Rows
  readonly history: History
  ask<Body = unknown>(asked: Asked): Promise<Answer<Body>>
  /** An application that holds these permissions and no others. */
  client(permissions: readonly string[], name?: string): Promise<Client>
  /** A token of the one client with just these permissions; a new one when the clock has outrun the last. */
  token(...permissions: readonly string[]): Promise<string>
  /** The same for a client of another name. */
  tokenAs(name: string, ...permissions: readonly string[]): Promise<string>
  tokenOf(client: Client): Promise<string>
  /** Puts a script into the library. */
  upload(name: string, content?: string): Promise<void>
  /** Runs an uploaded script (`run.sh` where none is named) on a machine and answers the action. */
  issue(machineId: string, comment?: string): Promise<MachineAction>
  read(actionId: string): Promise<MachineAction>
  enrolmentToken(forDevice?: string | null): Promise<string>
  close(): Promise<void>
  /** Ends the server and starts another one over the same folder and database, with the same clock. */
  restart(how?: Restart): Promise<TestServer>
}

export interface Restart {
  /** Flags beside those that it had. */
  readonly flags?: readonly string[]
  /** Something to do to the folder while nobody has it open. */
  readonly whileDown?: () => void
}

export interface ServerOptions {
  /** Flags as on the command line; limits are lifted and a cancel waits for nothing unless they say otherwise. */
  readonly flags?: readonly string[]
  /** Keys of its own; else the tests of one process share a pair, since making one takes a while. */
  readonly ownKeys?: boolean
  /** A PostgreSQL; null for SQLite; where it is left out, whichever the tests run on. */
  readonly databaseUrl?: string | null
  /** Takes the log, from `debug` on; nothing is logged where it is left out. */
  readonly logTo?: { write(line: string): void }
  /** Less of it than the server has with everybody. */
  readonly patience?: Partial<Patience>
  /** An earlier server's, for one that takes its place. */
  readonly before?: Pick<TestServer, 'folder' | 'clock'>
}

export const unlimited = [
  '--limits',
  'read=-/-,cancel=-/-,respond=-/-,manage=-/-,liveResponse=-/-,package=-/-,library=-/-',
  '--sessions',
  '-',
]
export const impatient = ['--settle-ms', '0']
/** Who asks where nobody is named. */
export const anyone = 'an application'
/** Where devices reach it, as they are told. */
export const here = '192.0.2.10'
export const publicUrl = 'https://countermand.example'

export async function openServer(options: ServerOptions = {}): Promise<TestServer> {
  const folder = options.before?.folder ?? mkdtempSync(join(tmpdir(), 'countermand-server-'))
  const { flags = [...unlimited, ...impatient], ownKeys = options.before !== undefined } = options
  if (!ownKeys && sharedKeys !== null) putKeys(folder, sharedKeys)
  const standing = ['--data', folder, '--public-url', publicUrl, '--no-agent', '--device-addresses', here]
  const { databaseUrl = await databaseOfTheRun() } = options
  const env = { COUNTERMAND_DATABASE_URL: databaseUrl ?? '' }
  const config = readConfig([...standing, ...flags], env, true)
  const clock = options.before?.clock ?? startClock()
  const { logTo, patience = {} } = options
  const log = logTo === undefined ? { logLevel: 'silent' } : { logLevel: 'debug', logTo }
  const running = await compose(config, { now: () => clock.now, patience, ...log })
  const { app, http } = running
  if (!ownKeys) sharedKeys ??= keysOf(folder)
  const rows = openRows(config)
  const history = openHistory(rows)
  const end = async (): Promise<void> => {
    rows.close()
    await running.close()
  }
  const close = async (): Promise<void> => {
    await end()
    rmSync(folder, { recursive: true, force: true })
  }
  const restart = async ({
    flags: more = [],
    whileDown = () => undefined,
  }: Restart = {}): Promise<TestServer> => {
    await end()
    whileDown()
    return openServer({ ...options, flags: [...flags, ...more], databaseUrl, before: { folder, clock } })
  }
  return { app, http, folder, clock, rows, history, close, restart, ...helpers({ app, http, clock, rows }) }
}

function startClock(): Clock {
  const clock: Clock = { now: start, pass: (ms) => void (clock.now = new Date(clock.now.getTime() + ms)) }
  return clock
}

/** `COUNTERMAND_TEST_DATABASE=postgres` starts one for the whole run (`run-on-postgres.ts`). */
async function databaseOfTheRun(): Promise<string | null> {
  const url = process.env.COUNTERMAND_TEST_DATABASE_URL
  return url === undefined ? null : freshDatabase(url)
}

/** Key files of this process's first server, by name. In memory, because a test worker runs no handler at its exit. */
let sharedKeys: ReadonlyMap<string, Buffer> | null = null

const keysOf = (folder: string): ReadonlyMap<string, Buffer> =>
  new Map(readdirSync(join(folder, 'keys')).map((name) => [name, readFileSync(join(folder, 'keys', name))]))

function putKeys(folder: string, keys: ReadonlyMap<string, Buffer>): void {
  mkdirSync(join(folder, 'keys'), { recursive: true, mode: 0o700 })
  for (const [name, bytes] of keys) writeFileSync(join(folder, 'keys', name), bytes, { mode: 0o600 })
}

type Parts = Pick<TestServer, 'app' | 'http' | 'clock' | 'rows'>
type Helpers = Omit<
  TestServer,
  'app' | 'http' | 'folder' | 'clock' | 'rows' | 'history' | 'close' | 'restart'
>

function helpers({ app, http, clock, rows }: Parts): Helpers {
  const ask = <Body>(asked: Asked): Promise<Answer<Body>> => inject<Body>(http, asked)
  const client = (permissions: readonly string[], name = anyone): Promise<Client> =>
    Promise.resolve(makeClient({ app, rows }, permissions, name))
  const tokenOf = ({ id, secret }: Client): Promise<string> =>
    fetchToken(ask, app.identity.tenantId, [id, secret])
  const tokenAs = keptTokens(clock, async (name, permissions) => tokenOf(await client(permissions, name)))
  const token = (...permissions: readonly string[]): Promise<string> => tokenAs(anyone, ...permissions)
  const upload = async (name: string, content = '#!/bin/sh\necho ok\n'): Promise<void> => {
    const sent = { ...form(name, content), token: await token('Library.Manage') }
    expectStatus(200, await ask({ method: 'POST', path: '/api/libraryfiles', ...sent }))
  }
  const issue = async (machineId: string, comment = 'case 17'): Promise<MachineAction> => {
    const body = { Comment: comment, Commands: [runScript('run.sh')] }
    const path = `/api/machines/${machineId}/runliveresponse`
    const sent = { method: 'POST', path, body, token: await token('Machine.LiveResponse') } as const
    return expectStatus(201, await ask<MachineAction>(sent))
  }
  const read = async (id: string): Promise<MachineAction> => {
    const sent = { path: `/api/machineactions/${id}`, token: await token('Machine.Read.All') }
    return expectStatus(200, await ask<MachineAction>({ method: 'GET', ...sent }))
  }
  const enrolmentToken = async (forDevice: string | null = null): Promise<string> =>
    (await makeEnrolmentToken(app, { server: publicUrl, forDevice, by: 'test' })).token
  return { ask, client, token, tokenAs, tokenOf, upload, issue, read, enrolmentToken }
}

/** Tokens by what they permit. They last an hour less a second; those with less than ten minutes left are not used. */
function keptTokens(
  clock: Clock,
  make: (name: string, permissions: readonly string[]) => Promise<string>,
): (name: string, ...permissions: readonly string[]) => Promise<string> {
  const kept = new Map<string, { token: Promise<string>; at: number }>()
  return (name, ...permissions) => {
    const key = [name, ...permissions.toSorted()].join('\n')
    const now = clock.now.getTime()
    const known = kept.get(key)
    if (known !== undefined && now >= known.at && now - known.at < 50 * minute) return known.token
    const made = make(name, permissions)
    kept.set(key, { token: made, at: now })
    return made
  }
}

/** Past the server: tests have several of one name, and want no events of them. */
function makeClient(
  { app, rows }: Pick<Parts, 'app' | 'rows'>,
  permissions: readonly string[],
  name: string,
): Client {
  const [id, secret] = [randomUUID(), `secret of ${randomUUID()}`]
  const kept = { keyId: randomUUID(), name: null, hint: null, startsAt: null, endsAt: null }
  const secrets = JSON.stringify([{ ...kept, digest: app.digest(secret) }])
  rows.all(
    'insert into applications (id, object_id, name, enabled, permissions, secrets) values (?, ?, ?, 1, ?, ?)',
    id,
    randomUUID(),
    name,
    JSON.stringify(permissions),
    secrets,
  )
  return { id, secret, name }
}

async function fetchToken(
  ask: TestServer['ask'],
  tenant: string,
  [id, secret]: [string, string],
): Promise<string> {
  const body = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: id,
    client_secret: secret,
    scope: 'https://api.securitycenter.microsoft.com/.default',
  }).toString()
  const path = `/${tenant}/oauth2/v2.0/token`
  const headers = { 'content-type': 'application/x-www-form-urlencoded' }
  const answer = await ask<{ access_token: string }>({ method: 'POST', path, headers, body })
  return expectStatus(200, answer).access_token
}

async function inject<Body>(http: Running['http'], asked: Asked): Promise<Answer<Body>> {
  const { method, path, token, body: sent } = asked
  const headers: Record<string, string> = { ...asked.headers }
  if (typeof token === 'string') headers.authorization ??= `Bearer ${token}`
  const isPlain = sent === undefined || typeof sent === 'string' || Buffer.isBuffer(sent)
  if (!isPlain) headers['content-type'] ??= 'application/json'
  const payload = isPlain ? sent : JSON.stringify(sent)
  const answer = await http.inject({ method, url: path, headers, ...(payload !== undefined && { payload }) })
  const body: Body = JSON.parse(isJson(answer.body) ? answer.body : 'null')
  return {
    status: answer.statusCode,
    headers: textsOf(answer.headers),
    text: answer.body,
    bytes: answer.rawPayload,
    body,
  }
}

const textsOf = (
  headers: Readonly<Record<string, string | number | string[] | undefined>>,
): Answer['headers'] =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value?.toString()]))

function isJson(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

export function expectStatus<Body>(status: number, answer: Answer<Body>): Body {
  if (answer.status !== status) throw new Error(`expected ${status}, got ${answer.status}: ${answer.text}`)
  return answer.body
}

/** One command of a live response, as clients write it. */
export const runScript = (scriptName: string, args?: string): object => ({
  type: 'RunScript',
  params: [
    { key: 'ScriptName', value: scriptName },
    ...(args === undefined ? [] : [{ key: 'Args', value: args }]),
  ],
})

/** A multipart form with one file in it, by hand: what is sent is what stands here. */
export function form(
  fileName: string,
  content: string | Buffer,
  { field = 'file', words = {} }: { field?: string; words?: Readonly<Record<string, string>> } = {},
): { headers: Record<string, string>; body: Buffer } {
  const boundary = 'a-boundary-nobody-writes'
  const part = (disposition: string, bytes: string | Buffer): Buffer[] => [
    Buffer.from(`--${boundary}\r\nContent-Disposition: form-data; ${disposition}\r\n\r\n`),
    Buffer.from(bytes),
    Buffer.from('\r\n'),
  ]
  const body = Buffer.concat([
    ...part(`name="${field}"; filename="${fileName}"\r\nContent-Type: application/octet-stream`, content),
    ...Object.entries(words).flatMap(([name, value]) => part(`name="${name}"`, value)),
    Buffer.from(`--${boundary}--\r\n`),
  ])
  return { headers: { 'content-type': `multipart/form-data; boundary=${boundary}` }, body }
}
