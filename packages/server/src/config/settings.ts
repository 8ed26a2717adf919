/**
 * Everything that can be set, one row each: its flag (`--put-limit`), its twin in the environment (`COUNTERMAND_PUT_LIMIT`) and
 * its name in the configuration file (`putLimit`) are one name in three spellings. A row says what it takes once, for all three.
 */
import {
  actionTypes,
  actions,
  commandLimitsMs,
  limitClasses,
  limits,
  liveResponseSessions,
  operations,
  putFileLimit,
  type Allowed,
  type Limit,
} from '@countermand/contract'
import { Type, type Static, type TSchema } from 'typebox'
import { cancelLimitMs } from '../core/policies.ts'
import {
  address,
  allowed,
  asIs,
  hasPort,
  list,
  named,
  network,
  number,
  numbers,
  oneOf,
  pairs,
  safeAddress,
  wholeNumber,
  yes,
  type Read,
} from './values.ts'

export class ConfigError extends Error {}

export interface Setting {
  readonly schema: TSchema
  /** What it takes, as the end of a sentence that begins with its name. */
  readonly says: string
  /** A flag's placeholder; null for one that takes none. */
  readonly takes: string | null
  /** For the list of flags; an array where it needs more lines than one. */
  readonly help: string | readonly string[]
  readonly read: Read
  /** The name of its twin, where that is not the flag's. */
  readonly twin?: string
  /** What stands where nobody says anything; left out where that depends on something else. */
  readonly standing?: unknown
  /** Where it may not stand, and why. */
  readonly notInFile?: string
  /** Too much for one line: there is no flag and no twin. */
  readonly inFileOnly?: true
}

export const limitedTypes = [...actionTypes, 'PutFile', 'GetFile'] as const
const logLevels = ['silent', 'error', 'warn', 'info', 'debug'] as const
export type LogLevel = (typeof logLevels)[number]

const operationNames = Object.keys(operations)

const written = ({ perMinute, perHour }: Limit): string => `${perMinute ?? '-'}/${perHour ?? '-'}`
const standingLimits = Object.fromEntries(limitClasses.map((name) => [name, written(limits[name])]))
const seconds = (ms: number): number => ms / 1_000
const standingRunLimits = {
  LiveResponse: seconds(actions.LiveResponse.runLimitMs),
  CollectInvestigationPackage: seconds(actions.CollectInvestigationPackage.runLimitMs),
  RunAntiVirusScan: seconds(actions.RunAntiVirusScan.runLimitMs),
  StopAndQuarantineFile: seconds(actions.StopAndQuarantineFile.runLimitMs),
  Isolate: seconds(actions.Isolate.runLimitMs),
  Unisolate: seconds(actions.Unisolate.runLimitMs),
  RestrictCodeExecution: seconds(actions.RestrictCodeExecution.runLimitMs),
  UnrestrictCodeExecution: seconds(actions.UnrestrictCodeExecution.runLimitMs),
  Offboard: seconds(actions.Offboard.runLimitMs),
  PutFile: seconds(commandLimitsMs.PutFile),
  GetFile: seconds(commandLimitsMs.GetFile),
}

export const settings = {
  listen: {
    schema: Type.Refine(Type.String({ pattern: String.raw`^(\[[^\]]+\]|[^:]+):\d{1,5}$` }), hasPort),
    says: 'takes HOST:PORT, for example 127.0.0.1:8600',
    takes: 'HOST:PORT',
    help: 'default 127.0.0.1:8600',
    read: asIs,
    standing: '127.0.0.1:8600',
  },
  config: {
    schema: Type.String({ minLength: 1 }),
    says: 'takes the path of a file',
    takes: 'FILE',
    help: 'default countermand.yaml in the data folder, if it is there',
    read: asIs,
    notInFile: 'a file does not name another one',
  },
  data: {
    schema: Type.String({ minLength: 1 }),
    says: 'takes the path of a folder',
    takes: 'DIR',
    help: 'default ./data',
    read: asIs,
    standing: 'data',
    notInFile: 'the file is looked for in the data folder',
  },
  databaseUrl: {
    schema: Type.String({ pattern: '^postgres(ql)?://' }),
    says: 'takes postgres://USER:PASSWORD@HOST:PORT/DATABASE; leave it out for SQLite',
    takes: 'URL',
    help: 'PostgreSQL; default: SQLite in the data folder',
    read: asIs,
  },
  publicUrl: {
    schema: Type.Refine(Type.String({ pattern: '^https?://[^/]' }), (url) => URL.canParse(url)),
    says: 'takes an address such as https://countermand.example',
    takes: 'URL',
    help: 'default http://HOST:PORT, with TLS https://HOST:PORT',
    read: asIs,
  },
  tls: {
    schema: oneOf(['off', 'auto']),
    says: 'takes off or auto',
    takes: 'off|auto',
    help: 'auto: a CA of this server’s own, and a certificate by it; default off',
    read: asIs,
    standing: 'off',
  },
  tlsNames: {
    schema: Type.Array(
      Type.String({ pattern: String.raw`^((\*\.)?[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|[0-9a-fA-F.:]+)$` }),
    ),
    says: 'takes names and addresses, such as a.example,192.0.2.7; microsoft stands for all of Microsoft’s',
    takes: 'NAME,…',
    help: [
      'further names for auto; default the name of this host.',
      '"microsoft": every host of the reference, for clients that have it built in',
    ],
    read: list,
  },
  tlsCert: {
    schema: Type.String({ minLength: 1 }),
    says: 'takes the path of a file',
    takes: 'FILE',
    help: 'a certificate of one’s own, PEM, with its chain; read again when it changes',
    read: asIs,
  },
  tlsKey: {
    schema: Type.String({ minLength: 1 }),
    says: 'takes the path of a file',
    takes: 'FILE',
    help: 'the key of that certificate, PEM',
    read: asIs,
  },
  trustedProxies: {
    schema: Type.Array(network),
    says: 'takes addresses or networks, such as 10.0.0.7 or 10.0.0.0/8',
    takes: 'ADDR,…',
    help: 'whose X-Forwarded-For, -Host and -Proto are believed; default none',
    read: list,
    standing: [] as readonly string[],
  },
  noAgent: {
    schema: Type.Boolean(),
    says: 'takes 1 or 0',
    takes: null,
    help: 'leave out the agent for this host',
    read: yes,
    standing: false,
  },
  pretend: {
    schema: Type.Boolean(),
    says: 'takes 1 or 0',
    takes: null,
    help: 'a pretended device instead of this host',
    read: yes,
    standing: false,
  },
  allowContainment: {
    schema: Type.Boolean(),
    says: 'takes 1 or 0',
    takes: null,
    help: 'the agent of this host may isolate it',
    read: yes,
    standing: false,
  },
  deviceAddresses: {
    schema: Type.Array(address),
    says: 'takes addresses, such as 192.0.2.7,2001:db8::7',
    takes: 'ADDR,…',
    help: [
      'where devices reach this server, for those that are isolated;',
      'default what its public name resolves to, and where a device has reached it',
    ],
    read: list,
    standing: [] as readonly string[],
  },
  isolationConfirm: {
    schema: oneOf(['revert', 'keep']),
    says: 'takes revert or keep',
    takes: 'revert|keep',
    help: 'an isolation without contact to this server for 60 s is taken back, or kept; default revert',
    read: asIs,
    standing: 'revert',
  },
  isolationAllow: {
    schema: Type.Array(allowed, { maxItems: 256 }),
    says: 'takes, each a line, { address: 192.0.2.0/24, ports: [443], protocol: tcp } or { owner: USER }',
    takes: null,
    help: '',
    read: asIs,
    standing: [] as readonly Allowed[],
    inFileOnly: true,
  },
  restored: {
    schema: Type.Boolean(),
    says: 'takes 1 or 0',
    takes: null,
    help: 'for the one start after a backup was put back',
    read: yes,
    standing: false,
    notInFile: 'it is for one start only',
  },
  limits: {
    schema: named(
      [...limitClasses, ...operationNames],
      Type.String({ pattern: String.raw`^(\d{1,9}|-)/(\d{1,9}|-)$` }),
    ),
    says: `takes CLASS=MINUTE/HOUR with CLASS one of ${limitClasses.join(', ')} or an operation’s name, such as cancel=100/1500`,
    takes: 'CLASS=MIN/HOUR,…',
    help: [
      'calls a minute / an hour; "-" lifts one; by class or by operation',
      `classes: ${limitClasses.join(', ')}`,
    ],
    read: pairs,
    standing: standingLimits,
  },
  runLimits: {
    schema: named(limitedTypes, wholeNumber(1, 999_999)),
    says: `takes TYPE=SECONDS with TYPE one of ${limitedTypes.join(', ')}`,
    takes: 'TYPE=SEC,…',
    help: ['how long an action may run; LiveResponse: one script', `types: ${limitedTypes.join(', ')}`],
    read: numbers,
    standing: standingRunLimits,
  },
  putLimit: {
    schema: wholeNumber(),
    says: 'takes a whole number',
    takes: 'BYTES',
    help: `the largest file for PutFile; default ${putFileLimit}`,
    read: number,
    standing: putFileLimit,
  },
  sessions: {
    schema: Type.Union([wholeNumber(1, 9_999), Type.Literal('-')]),
    says: 'takes a number from 1 to 9999, or "-" for any number',
    takes: 'N',
    help: `live responses open at a time; default ${liveResponseSessions}; "-" lifts it`,
    read: number,
    standing: liveResponseSessions,
  },
  log: {
    schema: oneOf(logLevels),
    says: `takes one of ${logLevels.join(', ')}`,
    takes: 'LEVEL',
    help: [`${logLevels.join(', ')};`, 'default warn on a terminal, info elsewhere'],
    read: asIs,
  },
  metrics: {
    schema: oneOf(['open', 'token', 'off']),
    says: 'takes one of open, token, off',
    takes: 'WHO',
    help: [
      'who may read /metrics: open, token (permission Machine.Read.All), off;',
      'default open on a loopback address without --public-url, token elsewhere',
    ],
    read: asIs,
  },
  otlpEndpoint: {
    schema: Type.String({ pattern: '^https?://[^/]' }),
    says: 'takes an address such as http://localhost:4318',
    takes: 'URL',
    help: 'a collector for traces (OTLP over HTTP); default none',
    read: asIs,
    // As every program has it that speaks OpenTelemetry.
    twin: 'OTEL_EXPORTER_OTLP_ENDPOINT',
  },
  issuers: {
    schema: Type.Record(
      Type.String({ pattern: '^[a-z0-9-]{1,30}$' }),
      Type.Object(
        {
          issuer: Type.String({ pattern: safeAddress }),
          audience: Type.Array(Type.String({ minLength: 1 }), { minItems: 1 }),
          jwksUri: Type.Optional(Type.String({ pattern: safeAddress })),
        },
        { additionalProperties: false },
      ),
      { additionalProperties: false },
    ),
    says: 'takes NAME: { issuer: https://…, audience: [api://…] } for each, NAME a short word in small letters; and jwksUri, if need be',
    takes: null,
    help: '',
    read: asIs,
    standing: {},
    inFileOnly: true,
  },
  settleMs: {
    schema: wholeNumber(0, 600_000),
    says: 'takes a whole number',
    takes: 'N',
    help: 'how long a cancel waits for the proof; default 1500',
    read: number,
    standing: 1_500,
  },
  cancelPermission: {
    schema: oneOf(['any', 'type']),
    says: 'takes any or type',
    takes: 'any|type',
    help: 'a cancel needs any of the seven, or that of the action’s own type; default any',
    read: asIs,
    standing: 'any',
  },
  commentMandatory: {
    schema: Type.Boolean(),
    says: 'takes 1 or 0',
    takes: null,
    help: 'every action and every cancel needs a Comment; default no',
    read: yes,
    standing: false,
  },
  plan: {
    schema: oneOf(['plan1', 'plan2']),
    says: 'takes plan1 or plan2',
    takes: 'plan1|plan2',
    help: 'plan1 allows scan, isolation and quarantine only; default plan2',
    read: asIs,
    standing: 'plan2',
  },
  repeatedAction: {
    schema: oneOf(['refuse', 'open']),
    says: 'takes refuse or open',
    takes: 'refuse|open',
    help: 'the same action asked again: 400, or the one that is open; default refuse',
    read: asIs,
    standing: 'refuse',
  },
  graceSeconds: {
    schema: wholeNumber(0, 600),
    says: 'takes a whole number from 0 to 600',
    takes: 'N',
    help: 'between asking processes to end and killing them; default 0',
    read: number,
    standing: 0,
  },
  quarantinePackaged: {
    schema: Type.Boolean(),
    says: 'takes 1 or 0',
    takes: null,
    help: 'a file of an installed package is quarantined like any other; default no',
    read: yes,
    standing: false,
  },
  cancelLimitSeconds: {
    schema: wholeNumber(1, 31_536_000),
    says: 'takes a whole number from 1 to 31536000',
    takes: 'N',
    help: 'how long a cancel waits for its device’s word; default 3 days',
    read: number,
    standing: cancelLimitMs / 1_000,
  },
} as const satisfies Readonly<Record<string, Setting>>

type Rows = typeof settings
export type SettingName = keyof Rows
/** What somebody has said, in the file, the environment or by flags. */
export type Settings = { readonly [Name in SettingName]?: Static<Rows[Name]['schema']> }

export const isSetting = (name: string): name is SettingName => Object.hasOwn(settings, name)
export const settingNames = Object.keys(settings).filter(isSetting)
/** Those that a flag and its twin can say. */
export const flagNames = settingNames.filter((name) => (settings[name] as Setting).inFileOnly !== true)
/** `putLimit` → `put-limit` */
export const flagOf = (name: string): string =>
  name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)
/** `putLimit` → `COUNTERMAND_PUT_LIMIT` */
export function twinOf(name: SettingName): string {
  const { twin }: Setting = settings[name]
  return twin ?? `COUNTERMAND_${flagOf(name).replaceAll('-', '_').toUpperCase()}`
}
