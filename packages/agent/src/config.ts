import { resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { commands, type Command } from './posture/commands.ts'

export interface Config {
  /** What is asked for at once, instead of running a device. */
  readonly command: Command | 'run'
  /** To `release`, as the server has signed it. */
  readonly answer: string | null
  readonly dataFolder: string
  readonly enrolmentToken: string | null
  /** Use the token although there is an identity; its key vouches for the new one, so the id stays. */
  readonly enrolAgain: boolean
  /** Where the server is now, if not where it was at enrolment; whom it obeys is the order key's matter. */
  readonly server: string | null
  /** PEM file of what to trust instead of the CA of the enrolment, or of what this host trusts. */
  readonly caFile: string | null
  /** Ends when its standard input does: it is the agent beside a server, and goes with it. */
  readonly tied: boolean
  readonly pretend: boolean
  /** Whether this host may be isolated although the control server is on it. */
  readonly allowContainment: boolean
  /** Action types that this host does not do, whatever the server asks. */
  readonly switchedOff: readonly string[]
  /** Signatures for the virus scanner, if not the distribution's. */
  readonly signatures: string | null
  /** Types of the file systems that a restriction covers; null for all that are this host's own. */
  readonly restrictFileSystems: readonly string[] | null
}

export const usage = `countermand-agent [flags]            runs this device; each flag has a twin in the environment
countermand-agent status [flags]     says what stands on this host, and why
countermand-agent release [flags]    lifts what stands, by an answer that the server has signed: --answer TEXT, or a line of input
countermand-agent restore [flags]    puts back what stands and ends, for a start before the network is up
  --data DIR               COUNTERMAND_AGENT_DATA              default /var/lib/countermand-agent
  --enrol TOKEN            COUNTERMAND_AGENT_ENROL             one-time token, for the first start
  --again                                                      with --enrol: a new key for the same device
  --server URL             COUNTERMAND_AGENT_SERVER            where the server is now, if it has moved
  --ca FILE                COUNTERMAND_AGENT_CA                what to trust instead of the CA that the token has brought
  --switch-off TYPE,…      COUNTERMAND_AGENT_SWITCH_OFF        action types that this host refuses
  --signatures DIR         COUNTERMAND_AGENT_SIGNATURES        for virus scans, instead of /var/lib/clamav
  --restrict-file-systems TYPE,…  COUNTERMAND_AGENT_RESTRICT_FILE_SYSTEMS  what a restriction covers, instead of all local ones
  --pretend                COUNTERMAND_AGENT_PRETEND=1         a pretended device: nothing on this host is touched
  --allow-containment      COUNTERMAND_AGENT_ALLOW_CONTAINMENT=1
`

/** @throws Error with a sentence for a flag that there is not. */
export function readConfig(
  args: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Config {
  const flag = { type: 'boolean' } as const
  const word = { type: 'string' } as const
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      data: word,
      enrol: word,
      again: flag,
      server: word,
      ca: word,
      'switch-off': word,
      signatures: word,
      'restrict-file-systems': word,
      tied: flag,
      pretend: flag,
      'allow-containment': flag,
      answer: word,
    },
  })
  const isSet = (twin: string): boolean => ['1', 'true'].includes(env[`COUNTERMAND_AGENT_${twin}`] ?? '')
  const fileSystems = values['restrict-file-systems'] ?? env.COUNTERMAND_AGENT_RESTRICT_FILE_SYSTEMS ?? ''
  const switchedOff = values['switch-off'] ?? env.COUNTERMAND_AGENT_SWITCH_OFF ?? ''
  return {
    command: commandIn(positionals),
    answer: values.answer ?? null,
    dataFolder: resolve(values.data ?? env.COUNTERMAND_AGENT_DATA ?? '/var/lib/countermand-agent'),
    enrolmentToken: values.enrol ?? (env.COUNTERMAND_AGENT_ENROL || null),
    enrolAgain: values.again ?? false,
    server: values.server ?? (env.COUNTERMAND_AGENT_SERVER || null),
    caFile: values.ca ?? (env.COUNTERMAND_AGENT_CA || null),
    tied: values.tied ?? false,
    pretend: values.pretend ?? isSet('PRETEND'),
    allowContainment: values['allow-containment'] ?? isSet('ALLOW_CONTAINMENT'),
    signatures: values.signatures ?? (env.COUNTERMAND_AGENT_SIGNATURES || null),
    switchedOff: namesIn(switchedOff),
    restrictFileSystems: fileSystems === '' ? null : namesIn(fileSystems),
  }
}

const namesIn = (list: string): string[] => list.split(',').filter((name) => name !== '')

function commandIn([first, ...more]: readonly string[]): Command | 'run' {
  if (first === undefined) return 'run'
  const command = commands.find((each) => each === first)
  if (command !== undefined && more.length === 0) return command
  throw new Error(
    `There is no command ${[first, ...more].join(' ')}: it is one of ${commands.join(', ')}, or none.`,
  )
}
