/** Flags and their environment twins → one typed object. A mistake is a sentence, before anything is started. */
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { limits as defaultLimits, type Limit, type LimitClass } from '@countermand/contract'

export interface Config {
  readonly host: string
  readonly port: number
  /** Base URL under which clients reach this server. */
  readonly publicUrl: string
  readonly dataFolder: string
  readonly agent: 'real' | 'pretend' | 'none'
  readonly allowContainment: boolean
  readonly limits: Readonly<Record<LimitClass, Limit>>
  readonly settleWithinMs: number
}

export class ConfigError extends Error {}

export const usage = `npm start -- [flags]          each flag has a twin in the environment
  --listen HOST:PORT          COUNTERMAND_LISTEN             default 127.0.0.1:8600
  --data DIR                  COUNTERMAND_DATA               default ./data
  --public-url URL            COUNTERMAND_PUBLIC_URL         default http://HOST:PORT
  --no-agent                  COUNTERMAND_NO_AGENT=1         leave out the agent for this host
  --pretend                   COUNTERMAND_PRETEND=1          a pretended device instead of this host
  --allow-containment         COUNTERMAND_ALLOW_CONTAINMENT=1
  --limits CLASS=MIN/HOUR,…   COUNTERMAND_LIMITS             calls a minute / an hour; "-" lifts one
                              classes: ${Object.keys(defaultLimits).join(', ')}
  --settle-ms N               COUNTERMAND_SETTLE_MS          how long a cancel waits for the proof; default 1500
`

/** @throws ConfigError naming the flag. `isLinux` decides whether the agent can be a real one. */
export function readConfig(args: readonly string[], env: Readonly<Record<string, string | undefined>>, isLinux: boolean): Config {
  const flags = parse(args)
  const text = (name: string, twin: string): string | undefined => flags[name] ?? (env[`COUNTERMAND_${twin}`] || undefined)
  const yes = (name: string, twin: string): boolean => flags[name] === 'true' || isYes(env[`COUNTERMAND_${twin}`], twin)
  const listen = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text('listen', 'LISTEN') ?? '127.0.0.1:8600')
  const port = Number(listen?.[3])
  if (listen === null || port === 0 || port > 65_535) throw new ConfigError('--listen takes HOST:PORT, for example 127.0.0.1:8600')
  const host = listen[1] ?? listen[2] ?? ''
  const pretend = yes('pretend', 'PRETEND') || !isLinux
  const shown = host.includes(':') ? `[${host}]` : host
  return {
    host,
    port,
    publicUrl: publicUrl(text('public-url', 'PUBLIC_URL') ?? `http://${reachable(shown)}:${port}`),
    dataFolder: resolve(text('data', 'DATA') ?? 'data'),
    agent: yes('no-agent', 'NO_AGENT') ? 'none' : pretend ? 'pretend' : 'real',
    allowContainment: yes('allow-containment', 'ALLOW_CONTAINMENT'),
    limits: { ...defaultLimits, ...readLimits(text('limits', 'LIMITS') ?? '') },
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
        ...{ listen: word, data: word, 'public-url': word, limits: word, 'settle-ms': word },
        ...{ 'no-agent': flag, pretend: flag, 'allow-containment': flag },
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

function wholeNumber(text: string, name: string): number {
  if (!/^\d{1,9}$/.test(text)) throw new ConfigError(`${name} takes a whole number`)
  return Number(text)
}

/** `cancel=100/1500,read=-/-` */
function readLimits(text: string): Partial<Record<LimitClass, Limit>> {
  const read: Partial<Record<LimitClass, Limit>> = {}
  for (const part of text.split(',').filter((piece) => piece.trim() !== '')) {
    const found = /^\s*(\w+)=(\d+|-)\/(\d+|-)\s*$/.exec(part)
    const name = found?.[1]
    if (found === null || name === undefined || !(name in defaultLimits)) {
      const known = Object.keys(defaultLimits).join(', ')
      throw new ConfigError(`--limits takes CLASS=MINUTE/HOUR with CLASS one of ${known}, for example cancel=100/1500`)
    }
    const count = (value: string | undefined): number | null => (value === '-' ? null : Number(value))
    read[name as LimitClass] = { perMinute: count(found[2]), perHour: count(found[3]) }
  }
  return read
}
