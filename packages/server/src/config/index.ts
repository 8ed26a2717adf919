/** Flags, their environment twins and the configuration file → one typed object. A mistake is a sentence, before anything is started. */
import { existsSync, readFileSync } from 'node:fs'
import { basename, join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { limits as defaultLimits, type Limit, type LimitClass, type Passage } from '@countermand/contract'
import { Check } from 'typebox/schema'
import type { TrustedIssuer } from '../core/access-token.ts'
import type { Policies } from '../core/policies.ts'
import { printed, readFileText } from './file.ts'
import {
  ConfigError,
  flagNames,
  flagOf,
  settingNames,
  settings,
  twinOf,
  type LogLevel,
  type SettingName,
  type Settings,
  type limitedTypes,
} from './settings.ts'
import { readTls, type Tls } from './tls.ts'

export { ConfigError } from './settings.ts'
export { usage } from './usage.ts'

export interface Config {
  readonly host: string
  readonly port: number
  /** Base URL under which clients reach this server. */
  readonly publicUrl: string
  /** Said so, not derived from where it listens. */
  readonly isPublicUrlGiven: boolean
  /** Base URL for the agent on this host. */
  readonly localUrl: string
  readonly tls: Tls
  /** What clients have to trust, PEM; null where no CA is this server's own. */
  readonly caFile: string | null
  /** Whose forwarded headers are believed; addresses and networks. */
  readonly trustedProxies: readonly string[]
  readonly dataFolder: string
  /** PostgreSQL instead of SQLite in the data folder. */
  readonly databaseUrl: string | null
  /** Whose tokens are accepted beside our own. */
  readonly issuers: readonly TrustedIssuer[]
  readonly agent: 'real' | 'pretend' | 'none'
  readonly allowContainment: boolean
  /** Where devices reach this server; empty leaves it to its name and to how they do. */
  readonly deviceAddresses: readonly string[]
  /** What isolations let pass, and whether they go back without contact. */
  readonly isolation: Pick<Passage, 'allow' | 'confirm'>
  /** The data was put back from a backup: true for the first start after that, and for no other. */
  readonly restored: boolean
  readonly limits: Limits
  /** How long a device lets an action of a type run; for live responses by command, `LiveResponse` a script. */
  readonly runLimitsMs: Readonly<Record<Limited, number>>
  /** The largest file that PutFile brings to a device, in bytes. */
  readonly putLimit: number
  /** Live responses that may be open at the same time; null for any number. */
  readonly sessions: number | null
  /** How long a cancel waits for the proof before it answers. */
  readonly settleWithinMs: number
  readonly policies: Policies
  /** Of the structured log on standard output. */
  readonly logLevel: LogLevel
  /** Who may read `/metrics`: whoever reaches this server, who may read machines, or nobody. */
  readonly metrics: 'open' | 'token' | 'off'
  /** Base URL of a collector that takes traces by OTLP over HTTP; null for no traces. */
  readonly otlpEndpoint: string | null
}

type Limited = (typeof limitedTypes)[number]

/** Every class has one; an operation that is named has one of its own. */
export type Limits = Readonly<Record<LimitClass, Limit>> & Readonly<Record<string, Limit | undefined>>

export type Environment = Readonly<Record<string, string | undefined>>

/** Where a setting comes from; the earlier one stands. */
interface Said {
  readonly flags: Settings
  readonly environment: Settings
  readonly file: Settings
}

/** @throws ConfigError naming the flag, its twin, or the file's line. `isLinux` decides whether the agent can be a real one. */
export const readConfig = (args: readonly string[], env: Environment, isLinux: boolean): Config =>
  configOf(heard(args, env), isLinux)

function heard(args: readonly string[], env: Environment): Said {
  const flags = valuesOf(parse(args), (name) => `--${flagOf(name)}`)
  const twins = flagNames.map((name) => [name, env[twinOf(name)] || undefined] as const)
  const environment = valuesOf(Object.fromEntries(twins), twinOf)
  return { flags, environment, file: readFile({ ...environment, ...flags }) }
}

/** The file that is named has to be there; the one in the data folder may be. */
function readFile({ config, data = settings.data.standing }: Settings): Settings {
  const path = resolve(config ?? join(data, 'countermand.yaml'))
  if (config === undefined && !existsSync(path)) return {}
  try {
    return readFileText(readFileSync(path, 'utf8'), config ?? basename(path))
  } catch (thrown) {
    if (thrown instanceof ConfigError) throw thrown
    throw new ConfigError(
      `--config: ${path} cannot be read: ${thrown instanceof Error ? thrown.message : String(thrown)}`,
    )
  }
}

/** Texts by name → values, each looked at by its schema. */
function valuesOf(
  texts: Readonly<Record<string, string | undefined>>,
  called: (name: SettingName) => string,
): Settings {
  const values = settingNames.flatMap((name) => {
    const text = texts[name]
    if (text === undefined) return []
    const { read, schema, says } = settings[name]
    const value = read(text)
    if (!Check(schema, value)) throw new ConfigError(`${called(name)} ${says}`)
    return [[name, value] as const]
  })
  return Object.fromEntries(values)
}

function configOf({ flags, environment, file }: Said, isLinux: boolean): Config {
  const set = { ...file, ...environment, ...flags } satisfies Settings as Settings
  const addresses = readAddresses(set)
  const dataFolder = resolve(set.data ?? settings.data.standing)
  const pretend = set.pretend === true || !isLinux
  const sessions = set.sessions ?? settings.sessions.standing
  return {
    ...addresses,
    caFile: addresses.tls.kind === 'auto' ? join(dataFolder, 'ca.pem') : null,
    trustedProxies: set.trustedProxies ?? settings.trustedProxies.standing,
    dataFolder,
    databaseUrl: set.databaseUrl ?? null,
    issuers: readIssuers(set.issuers ?? {}),
    agent: set.noAgent === true ? 'none' : pretend ? 'pretend' : 'real',
    allowContainment: set.allowContainment ?? false,
    deviceAddresses: set.deviceAddresses ?? settings.deviceAddresses.standing,
    isolation: readIsolation(set),
    restored: set.restored ?? false,
    limits: readLimits(set.limits ?? {}),
    runLimitsMs: readRunLimits(set.runLimits ?? {}),
    putLimit: set.putLimit ?? settings.putLimit.standing,
    sessions: sessions === '-' ? null : sessions,
    settleWithinMs: set.settleMs ?? settings.settleMs.standing,
    policies: {
      cancelPermission: set.cancelPermission ?? settings.cancelPermission.standing,
      commentMandatory: set.commentMandatory ?? settings.commentMandatory.standing,
      plan: set.plan ?? settings.plan.standing,
      repeatedAction: set.repeatedAction ?? settings.repeatedAction.standing,
      graceMs: (set.graceSeconds ?? settings.graceSeconds.standing) * 1_000,
      quarantinePackaged: set.quarantinePackaged ?? settings.quarantinePackaged.standing,
      cancelLimitMs: (set.cancelLimitSeconds ?? settings.cancelLimitSeconds.standing) * 1_000,
    },
    // In front of a person only what needs one; into a pipe or a file everything.
    logLevel: set.log ?? (process.stdout.isTTY ? 'warn' : 'info'),
    metrics: set.metrics ?? (isLoopback(addresses.host) && set.publicUrl === undefined ? 'open' : 'token'),
    otlpEndpoint: set.otlpEndpoint?.replace(/\/+$/, '') ?? null,
  }
}

const readIsolation = ({ isolationAllow, isolationConfirm }: Settings): Config['isolation'] => ({
  allow: [...(isolationAllow ?? settings.isolationAllow.standing)],
  confirm: isolationConfirm ?? settings.isolationConfirm.standing,
})

type Addresses = Pick<Config, 'host' | 'port' | 'publicUrl' | 'isPublicUrlGiven' | 'localUrl' | 'tls'>

/** Where it listens, how, and under which addresses it is reached. */
function readAddresses(set: Settings): Addresses {
  const listen = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(set.listen ?? settings.listen.standing) ?? []
  const port = Number(listen[3])
  const host = listen[1] ?? listen[2] ?? ''
  const shown = reachable(host.includes(':') ? `[${host}]` : host)
  const tls = readTls(set, shown)
  const here = `${tls.kind === 'off' ? 'http' : 'https'}://${shown}:${port}`
  const publicUrl = readPublicUrl(set.publicUrl ?? here, tls)
  // A certificate of one's own is for the public name, and need not be for this address.
  const localUrl = tls.kind === 'own' ? publicUrl : here
  return { host, port, publicUrl, isPublicUrlGiven: set.publicUrl !== undefined, localUrl, tls }
}

function parse(args: readonly string[]): Readonly<Record<string, string>> {
  const options = flagNames.map(
    (name) => [flagOf(name), { type: settings[name].takes === null ? 'boolean' : 'string' }] as const,
  )
  try {
    const { values } = parseArgs({ args: [...args], options: Object.fromEntries(options) })
    return Object.fromEntries(
      flagNames.flatMap((name) => {
        const value = values[flagOf(name)]
        return value === undefined ? [] : [[name, String(value)]]
      }),
    )
  } catch (thrown) {
    throw new ConfigError(thrown instanceof Error ? thrown.message : String(thrown))
  }
}

/** Only this host reaches it, unless something passes calls on. */
const isLoopback = (host: string): boolean => /^(localhost|127(\.\d{1,3}){3}|::1)$/i.test(host)

/** Everywhere is where it listens, not where it is reached. */
const reachable = (host: string): string => (host === '0.0.0.0' || host === '[::]' ? 'localhost' : host)

function readPublicUrl(text: string, { kind }: Tls): string {
  if (kind !== 'off' && !text.startsWith('https:'))
    throw new ConfigError('--public-url begins with https:// where the server speaks TLS, and TLS only')
  return text.replace(/\/+$/, '')
}

/** `100/1500`, `-/-` */
function limitOf(text: string): Limit {
  const [perMinute, perHour] = text.split('/').map((count) => (count === '-' ? null : Number(count)))
  return { perMinute: perMinute ?? null, perHour: perHour ?? null }
}

const readLimits = (said: Readonly<Record<string, string | undefined>>): Limits => {
  const given = Object.entries(said).map(([name, text = '-/-']) => [name, limitOf(text)] as const)
  return { ...defaultLimits, ...Object.fromEntries(given) }
}

/** @throws ConfigError where two are the same: a token would be of either. */
function readIssuers(said: NonNullable<Settings['issuers']>): readonly TrustedIssuer[] {
  const issuers = Object.entries(said).map(([name, one]) => ({ jwksUri: null, ...one, name }))
  for (const { name, issuer } of issuers) {
    const other = issuers.find((one) => one.issuer === issuer)
    if (other !== undefined && other.name !== name)
      throw new ConfigError(`issuers: ${other.name} and ${name} are the same issuer; give one both audiences`)
  }
  return issuers
}

const readRunLimits = (
  given: Readonly<Partial<Record<Limited, number>>>,
): Readonly<Record<Limited, number>> => {
  const { standing } = settings.runLimits
  const limitMs = (name: Limited): number => (given[name] ?? standing[name]) * 1_000
  return {
    LiveResponse: limitMs('LiveResponse'),
    CollectInvestigationPackage: limitMs('CollectInvestigationPackage'),
    RunAntiVirusScan: limitMs('RunAntiVirusScan'),
    StopAndQuarantineFile: limitMs('StopAndQuarantineFile'),
    Isolate: limitMs('Isolate'),
    Unisolate: limitMs('Unisolate'),
    RestrictCodeExecution: limitMs('RestrictCodeExecution'),
    UnrestrictCodeExecution: limitMs('UnrestrictCodeExecution'),
    Offboard: limitMs('Offboard'),
    PutFile: limitMs('PutFile'),
    GetFile: limitMs('GetFile'),
  }
}

/** What is set and by whom, as a file that could be used, but for secrets, which are masked (`npm start -- --print-config`). */
export function printConfig(args: readonly string[], env: Environment): string {
  const { flags, environment, file } = heard(args, env)
  const lines = settingNames.map((name) => {
    const [value, by] =
      flags[name] !== undefined
        ? [flags[name], `--${flagOf(name)}`]
        : environment[name] !== undefined
          ? [environment[name], twinOf(name)]
          : file[name] !== undefined
            ? [file[name], 'the file']
            : [undefined, 'default']
    return printed(name, value, by)
  })
  return lines.join('')
}
