/** How a rehearsal is shown: as a picture, or line by line. */
import type { LiveEvent } from '../packages/contract/src/index.ts'
import type { Options } from './options.ts'
import { screenOf } from './screen.ts'
import type { ServerProcess } from './server-process.ts'
import type { Rehearsal } from './state.ts'

export interface Shown {
  readonly options: Options
  readonly server: ServerProcess
  readonly devices: number
}

export interface View {
  begin(shown: Shown): void
  heard(event: LiveEvent): void
  devices(enrolled: readonly (readonly [string, string])[]): void
  /** What a device says of itself. */
  log(device: string, line: string): void
  /** What the rehearsal itself has to say. */
  say(line: string): void
  end(): void
}

const drawEveryMs = 500
const [clear, home, hideCursor, showCursor] = ['\x1b[2J', '\x1b[H', '\x1b[?25l', '\x1b[?25h']
const restOfLine = '\x1b[K'
const restOfScreen = '\x1b[J'

export function openPicture(state: Rehearsal): View {
  let timer: NodeJS.Timeout | null = null
  const said: string[] = []
  return {
    begin: ({ options, server, devices }) => {
      const title = `Countermand, rehearsal   ${server.credentials.apiUrl}   speed ${options.speed}   seed ${options.seed}   ${credentialsOf(options)}   Ctrl-C ends it`
      const draw = (): void => {
        const { columns, rows } = process.stdout
        const text = screenOf(state, {
          columns,
          rows,
          now: Date.now(),
          title,
          devices,
          said: said.at(-1) ?? '',
        })
        process.stdout.write(home + text.replaceAll('\n', `${restOfLine}\n`) + restOfLine + restOfScreen)
      }
      process.stdout.write(hideCursor + clear)
      timer = setInterval(draw, drawEveryMs)
    },
    heard: () => undefined,
    devices: () => undefined,
    log: () => undefined,
    say: (line) => void said.push(line),
    end: () => {
      clearInterval(timer ?? undefined)
      process.stdout.write(`${showCursor}\n${said.join('\n')}\n`)
    },
  }
}

const credentialsOf = ({ dataFolder }: Options): string => `${dataFolder}/server/credentials.json`

/** Of these nobody wants a line each. */
const silent = ['device.posture_ordered', 'enrolment.token_made']

const say = (...words: readonly string[]): void => console.log(words.filter(Boolean).join('  '))

/** `isBrief`: of the events only those that are alarms. */
export function openPlain(state: Rehearsal, isBrief: boolean): View {
  return {
    begin: ({ options, server, devices }) => {
      say(`rehearsal: ${devices} devices, speed ${options.speed}, seed ${options.seed}`)
      say(`API ${server.credentials.apiUrl}, credentials ${credentialsOf(options)}`)
    },
    heard: ({ at, kind, machineId, actionId, alarm, data }) => {
      if (silent.includes(kind) || (isBrief && !alarm)) return
      const device = state.names.get(machineId ?? '') ?? machineId ?? ''
      const words = [data.type, data.comment, data.proof, data.detail].filter(
        (word) => typeof word === 'string',
      )
      say(at, kind, device, actionId ?? '', words.join(' | '), alarm ? 'ALARM' : '')
    },
    devices: (enrolled) => {
      if (enrolled.length > 0) say(`enrolled: ${state.names.size}`)
    },
    log: (device, line) => {
      // What the agent says in its own words is in its server's events as well.
      if (line.startsWith('pretended:')) say(device, line)
    },
    say,
    end: () => say('ending'),
  }
}
