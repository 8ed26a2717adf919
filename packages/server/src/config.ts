/** Flags and their environment twins → one typed object. A mistake is a sentence, before anything is started. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import {
  actionTypes,
  actions,
  commandLimitsMs,
  limitClasses,
  limits as defaultLimits,
  liveResponseSessions,
  putFileLimit,
  type Limit,
  type LimitClass,
} from '@countermand/contract'

export interface Config {
  readonly host: string
  readonly port: number
  /** Base URL under which clients reach this server. */
  readonly publicUrl: string
  /** Said so, not derived from where it listens. */
  readonly isPublicUrlGiven: boolean
  /** Base URL for the agent on this host. */
  readonly localUrl: string
  readonly dataFolder: string
  /** PostgreSQL instead of SQLite in the data folder. */
  readonly databaseUrl: string | null
  readonly agent: 'real' | 'pretend' | 'none'
  readonly allowContainment: boolean
  /** The data was put back from a backup: true for the first start after that, and for no other. */
  readonly restored: boolean
  readonly limits: Readonly<Record<LimitClass, Limit>>
  /** How long a device lets an action of a type run; for live responses by command, `LiveResponse` a script. */
  readonly runLimitsMs: Readonly<Record<Limited, number>>
  /** The largest file that PutFile brings to a device, in bytes. */
  readonly putLimit: number
  /** Live responses that may be open at the same time; null for any number. */
  readonly sessions: number | null
  /** How long a cancel waits for the proof before it answers. */
  readonly settleWithinMs: number
  /** Of the structured log on standard output. */
  readonly logLevel: LogLevel
  /** Who may read `/metrics`: whoever reaches this server, who may read machines, or nobody. */
  readonly metrics: (typeof metricsAccess)[number]
  /** Base URL of a collector that takes traces by OTLP over HTTP; null for no traces. */
  readonly otlpEndpoint: string | null
}

const limitedTypes = [...actionTypes, 'PutFile', 'GetFile'] as const
type Limited = (typeof limitedTypes)[number]

const metricsAccess = ['open', 'token', 'off'] as const

const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

export class ConfigError extends Error {}

export const usage = `npm start -- [flags]          each flag has a twin in the environment
  --listen HOST:PORT          COUNTERMAND_LISTEN             default 127.0.0.1:8600
  --data DIR                  COUNTERMAND_DATA               default ./data
  --database-url URL          COUNTERMAND_DATABASE_URL       PostgreSQL; default: SQLite in the data folder
  --public-url URL            COUNTERMAND_PUBLIC_URL         default http://HOST:PORT
  --no-agent                  COUNTERMAND_NO_AGENT=1         leave out the agent for this host
  --pretend                   COUNTERMAND_PRETEND=1          a pretended device instead of this host
  --allow-containment         COUNTERMAND_ALLOW_CONTAINMENT=1
  --restored                  COUNTERMAND_RESTORED=1         for the one start after a backup was put back
  --limits CLASS=MIN/HOUR,…   COUNTERMAND_LIMITS             calls a minute / an hour; "-" lifts one
                              classes: ${limitClasses.join(', ')}
  --run-limits TYPE=SEC,…     COUNTERMAND_RUN_LIMITS         how long an action may run; LiveResponse: one script
                              types: ${limitedTypes.join(', ')}
  --put-limit BYTES           COUNTERMAND_PUT_LIMIT          the largest file for PutFile; default ${putFileLimit}
  --sessions N                COUNTERMAND_SESSIONS           live responses open at a time; default ${liveResponseSessions}; "-" lifts it
  --log LEVEL                 COUNTERMAND_LOG                silent, error, warn, info, debug; default warn on a
                                                             terminal, info elsewhere
  --metrics WHO               COUNTERMAND_METRICS            who may read /metrics: open, token (permission Machine.Read.All)
                                                             or off; default open on a loopback address without
                                                             --public-url, token elsewhere
  --otlp-endpoint URL         OTEL_EXPORTER_OTLP_ENDPOINT    a collector for traces (OTLP over HTTP); default: none
  --settle-ms N               COUNTERMAND_SETTLE_MS          how long a cancel waits for the proof; default 1500
`

/** @throws ConfigError naming the flag. `isLinux` decides whether the agent can be a real one. */
export function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  isLinux: boolean,
): Config {
  const flags = parse(args)
  const text = (name: string, twin: string): string | undefined =>
    flags[name] ?? (env[`COUNTERMAND_${twin}`] || undefined)
  const yes = (name: string, twin: string): boolean =>
    flags[name] === 'true' || isYes(env[`COUNTERMAND_${twin}`], twin)
  const listen = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text('listen', 'LISTEN') ?? '127.0.0.1:8600')
  const port = Number(listen?.[3])
  if (listen === null || port === 0 || port > 65_535)
    throw new ConfigError('--listen takes HOST:PORT, for example 127.0.0.1:8600')
  const host = listen[1] ?? listen[2] ?? ''
  const pretend = yes('pretend', 'PRETEND') || !isLinux
  const shown = host.includes(':') ? `[${host}]` : host
  const isApart = isLoopback(host) && text('public-url', 'PUBLIC_URL') === undefined
  const localUrl = `http://${reachable(shown)}:${port}`
  return {
    host,
    port,
    publicUrl: publicUrl(text('public-url', 'PUBLIC_URL') ?? localUrl),
    isPublicUrlGiven: text('public-url', 'PUBLIC_URL') !== undefined,
    localUrl,
    dataFolder: resolve(text('data', 'DATA') ?? 'data'),
    databaseUrl: databaseUrl(text('database-url', 'DATABASE_URL')),
    agent: yes('no-agent', 'NO_AGENT') ? 'none' : pretend ? 'pretend' : 'real',
    allowContainment: yes('allow-containment', 'ALLOW_CONTAINMENT'),
    restored: yes('restored', 'RESTORED'),
    limits: readLimits(text('limits', 'LIMITS') ?? ''),
    runLimitsMs: readRunLimits(text('run-limits', 'RUN_LIMITS') ?? ''),
    putLimit: wholeNumber(text('put-limit', 'PUT_LIMIT') ?? `${putFileLimit}`, '--put-limit'),
    sessions: readSessions(text('sessions', 'SESSIONS') ?? `${liveResponseSessions}`),
    // In front of a person only what needs one; into a pipe or a file everything.
    logLevel: logLevel(text('log', 'LOG') ?? (process.stdout.isTTY ? 'warn' : 'info')),
    metrics: metrics(text('metrics', 'METRICS') ?? (isApart ? 'open' : 'token')),
    otlpEndpoint: otlpEndpoint(flags['otlp-endpoint'] ?? (env.OTEL_EXPORTER_OTLP_ENDPOINT || undefined)),
    settleWithinMs: wholeNumber(text('settle-ms', 'SETTLE_MS') ?? '1500', '--settle-ms'),
  }
}

function parse(args: readonly string[]): Record<string, string | undefined> {
  const flag = { type: 'boolean' } as const
  const word = { type: 'string' } as const
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        listen: word,
        data: word,
        'database-url': word,
        'public-url': word,
        limits: word,
        log: word,
        'settle-ms': word,
        metrics: word,
        'otlp-endpoint': word,
        'run-limits': word,
        'put-limit': word,
        sessions: word,
        'no-agent': flag,
        pretend: flag,
        'allow-containment': flag,
        restored: flag,
      },
    })
    return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, String(value)]))
  } catch (thrown) {
    throw new ConfigError(thrown instanceof Error ? thrown.message : String(thrown))
  }
}

function isYes(value: string | undefined, twin: string): boolean {
  if (value === undefined || value === '' || value === '0' || value === 'false') return false
  if (value === '1' || value === 'true') return true
  throw new ConfigError(`COUNTERMAND_${twin} takes 1 or 0`)
}

/** Everywhere is where it listens, not where it is reached. */
const reachable = (host: string): string => (host === '0.0.0.0' || host === '[::]' ? 'localhost' : host)

function publicUrl(text: string): string {
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new ConfigError('--public-url takes an address such as https://countermand.example')
  }
  return text.replace(/\/+$/, '')
}

function databaseUrl(text: string | undefined): string | null {
  if (text === undefined) return null
  if (!/^postgres(ql)?:\/\//.test(text)) {
    throw new ConfigError(
      '--database-url takes postgres://USER:PASSWORD@HOST:PORT/DATABASE; leave it out for SQLite',
    )
  }
  return text
}

function logLevel(text: string): LogLevel {
  const known = logLevels.find((level) => level === text)
  if (known === undefined) throw new ConfigError(`--log takes one of ${logLevels.join(', ')}`)
  return known
}

/** Only this host reaches it, unless something passes calls on. */
const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host)

function metrics(text: string): Config['metrics'] {
  const known = metricsAccess.find((access) => access === text)
  if (known === undefined) throw new ConfigError(`--metrics takes one of ${metricsAccess.join(', ')}`)
  return known
}

function otlpEndpoint(text: string | undefined): string | null {
  if (text === undefined) return null
  if (!URL.canParse(text) || !/^https?:$/.test(new URL(text).protocol)) {
    throw new ConfigError('--otlp-endpoint takes an address such as http://localhost:4318')
  }
  return text.replace(/\/+$/, '')
}

function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new ConfigError(`${name} takes a whole number`)
  return Number(text)
}

/** `cancel=100/1500,read=-/-` */
function readLimits(text: string): Readonly<Record<LimitClass, Limit>> {
  const limits = { ...defaultLimits }
  for (const [name, value] of pairs(text)) {
    const found = /^(\d+|-)\/(\d+|-)$/.exec(value)
    const known = limitClasses.find((one) => one === name)
    if (found === null || known === undefined) {
      const classes = limitClasses.join(', ')
      throw new ConfigError(
        `--limits takes CLASS=MINUTE/HOUR with CLASS one of ${classes}, such as cancel=100/1500`,
      )
    }
    limits[known] = { perMinute: countOf(found[1]), perHour: countOf(found[2]) }
  }
  return limits
}

const countOf = (text: string | undefined): number | null => (text === '-' ? null : Number(text))

/** `25`, or `-` for any number. */
function readSessions(text: string): number | null {
  if (!/^(-|[1-9]\d{0,3})$/.test(text))
    throw new ConfigError('--sessions takes a number from 1 to 9999, or "-" for any number')
  return countOf(text)
}

/** `LiveResponse=600,GetFile=3600` */
function readRunLimits(text: string): Readonly<Record<Limited, number>> {
  const { PutFile, GetFile } = commandLimitsMs
  const limits: Record<Limited, number> = {
    LiveResponse: actions.LiveResponse.runLimitMs,
    CollectInvestigationPackage: actions.CollectInvestigationPackage.runLimitMs,
    RunAntiVirusScan: actions.RunAntiVirusScan.runLimitMs,
    PutFile,
    GetFile,
  }
  for (const [name, value] of pairs(text)) {
    const known = limitedTypes.find((one) => one === name)
    if (known === undefined || !/^[1-9]\d{0,5}$/.test(value)) {
      throw new ConfigError(`--run-limits takes TYPE=SECONDS with TYPE one of ${limitedTypes.join(', ')}`)
    }
    limits[known] = Number(value) * 1000
  }
  return limits
}

/** `a=1,b=2` → [['a', '1'], ['b', '2']] */
const pairs = (text: string): readonly (readonly [string, string])[] =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '')
    .map((part) => [part.split('=')[0] ?? '', part.slice(part.indexOf('=') + 1)])
