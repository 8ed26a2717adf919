/** What a rehearsal is to be: flags, and a file for what is longer. */
import { existsSync, readFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { parse } from 'yaml'
import { choiceOf, scenarioNames, scenarios, type Choice } from '../packages/agent/src/pretend/scenarios.ts'

export interface Options {
  readonly devices: number
  readonly seed: number
  /** How often as fast as the world. */
  readonly speed: number
  /** Devices to which the same happens with every action, beside those to which it does not. */
  readonly scenarios: readonly { readonly choice: Choice; readonly devices: number }[]
  /** Nothing happens by chance. */
  readonly isSteady: boolean
  readonly isPlain: boolean
  readonly listen: string
  readonly dataFolder: string
  /** Where requests and answers are kept; null for nowhere. */
  readonly record: string | null
  /** Actions a second, for so many seconds; null for none but those that somebody asks for. */
  readonly load: { readonly perSecond: number; readonly seconds: number } | null
}

const column = 26
const flags = [
  ['--devices N', 'how many; default 20'],
  ['--speed N', 'how often as fast as the world; default 20: a script of a minute takes 3 seconds'],
  ['--seed N', 'the same seed, the same chances; default 1'],
  ['--scenario NAME[=SEC][:N],…', 'N devices (default 1) to which this happens with every action'],
  ['--steady', 'nothing happens by chance'],
  ['--plain', 'a line for each event instead of a picture; so it is without a terminal'],
  [
    '--load N',
    'asks for N actions a second, takes half of them back, and says in the end whether all of it was true',
  ],
  ['--for SECONDS', 'how long the load lasts; default 600'],
  ['--record FILE', 'keeps requests and answers, as JSON Lines, for npm run replay'],
  ['--config FILE', 'a YAML file with devices, speed, seed, steady, scenarios'],
  ['--listen HOST:PORT', 'default 127.0.0.1:8600'],
  ['--data DIR', 'default ./rehearsal; remove it to begin anew'],
] as const

const row = ([name, says]: readonly [string, string]): string => `  ${name.padEnd(column)} ${says}`

export const usage = [
  'npm run rehearse -- [flags]: a server, and pretended devices for it. No host is at risk.',
  ...flags.map(row),
  'Scenarios, also as a word in the comment of one action ("Comment": "case 7, offline=60"); SEC are seconds of the rehearsal, before its speed:',
  ...scenarioNames.map((name) => row([name, scenarios[name].says])),
  '',
].join('\n')

/** Whoever has written it finds out what to write instead. */
export class OptionError extends Error {}

interface File {
  readonly devices?: unknown
  readonly speed?: unknown
  readonly seed?: unknown
  readonly steady?: unknown
  /** How many devices, by scenario. */
  readonly scenarios?: unknown
}

/** @throws OptionError */
export function readOptions(args: readonly string[]): Options {
  const word = { type: 'string' } as const
  const flag = { type: 'boolean' } as const
  const { values } = parsed(args, {
    devices: word,
    speed: word,
    seed: word,
    scenario: word,
    steady: flag,
    plain: flag,
    record: word,
    load: word,
    for: word,
    config: word,
    listen: word,
    data: word,
  })
  const file = values.config === undefined ? {} : readFile(values.config)
  const chosen = [
    ...inFile(file.scenarios),
    ...(values.scenario ?? '').split(',').filter(Boolean).map(inFlag),
  ]
  const devices = count('devices', values.devices ?? file.devices ?? 20, 1, 20_000)
  if (chosen.reduce((sum, { devices: some }) => sum + some, 0) > devices)
    throw new OptionError(`The scenarios name more devices than there are (--devices ${devices}).`)
  return {
    devices,
    scenarios: chosen,
    seed: count('seed', values.seed ?? file.seed ?? 1, 0, 2 ** 31),
    speed: count('speed', values.speed ?? file.speed ?? 20, 1, 1_000),
    isSteady: values.steady ?? file.steady === true,
    isPlain: (values.plain ?? false) || !process.stdout.isTTY,
    listen: values.listen ?? '127.0.0.1:8600',
    dataFolder: resolve(values.data ?? 'rehearsal'),
    record: values.record === undefined ? null : resolve(values.record),
    load:
      values.load === undefined
        ? null
        : {
            perSecond: count('load', values.load, 1, 1_000),
            seconds: count('for', values.for ?? 600, 1, 86_400),
          },
  }
}

type Flags = NonNullable<NonNullable<Parameters<typeof parseArgs>[0]>['options']>
function parsed<const Given extends Flags>(args: readonly string[], options: Given) {
  try {
    return parseArgs({ args: [...args], options })
  } catch (thrown) {
    throw new OptionError(`${thrown instanceof Error ? thrown.message : String(thrown)}\n\n${usage}`)
  }
}

const known = ['devices', 'speed', 'seed', 'steady', 'scenarios']
function readFile(path: string): File {
  if (!existsSync(path)) throw new OptionError(`There is no file ${path} (--config).`)
  const content: unknown = parse(readFileSync(path, 'utf8'))
  if (!isRecord(content)) throw new OptionError(`${path} is to have lines such as devices: 50.`)
  const odd = Object.keys(content).find((name) => !known.includes(name))
  if (odd !== undefined) throw new OptionError(`${path} has no line ${odd}: it knows ${known.join(', ')}.`)
  return content
}

const isRecord = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

function inFile(given: unknown): Options['scenarios'] {
  if (given === undefined) return []
  if (!isRecord(given)) throw new OptionError('scenarios has a line for each, such as offline: 3')
  return Object.entries(given).map(([name, devices]) => ({
    choice: choice(name),
    devices: count(`scenarios: ${name}`, devices, 1, 20_000),
  }))
}

function inFlag(text: string): Options['scenarios'][number] {
  const [name = '', devices = '1'] = text.split(':')
  return { choice: choice(name), devices: count(`--scenario ${name}`, devices, 1, 20_000) }
}

function choice(text: string): Choice {
  const found = choiceOf(text)
  if (found !== null) return found
  throw new OptionError(`There is no scenario ${text}: it is one of ${scenarioNames.join(', ')}.`)
}

function count(name: string, given: unknown, from: number, to: number): number {
  const value = typeof given === 'string' && /^\d+$/.test(given) ? Number(given) : given
  if (typeof value === 'number' && Number.isInteger(value) && value >= from && value <= to) return value
  throw new OptionError(`${name} takes a whole number from ${from} to ${to}.`)
}

/** The devices, by name: those with a scenario are called after it. */
export function namesOf({ devices, scenarios: some }: Pick<Options, 'devices' | 'scenarios'>): readonly {
  readonly name: string
  readonly scenario: Choice | null
}[] {
  const special = some.flatMap(({ choice: scenario, devices: many }) =>
    Array.from({ length: many }, () => ({ stem: scenario.name as string, scenario })),
  )
  const plain = Array.from({ length: devices - special.length }, () => ({ stem: 'ws', scenario: null }))
  return [...special, ...plain].map(({ stem, scenario }, index) => ({
    name: `${stem}-${String(index + 1).padStart(4, '0')}`,
    scenario,
  }))
}
