import { resolve } from 'node:path'
import { parseArgs } from 'node:util'

export interface Config {
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
  readonly allowContainment: boolean
  /** Action types that this host does not do, whatever the server asks. */
  readonly switchedOff: readonly string[]
  /** Signatures for the virus scanner, if not the distribution's. */
  readonly signatures: string | null
}

export const usage = `countermand-agent [flags]     each flag has a twin in the environment
  --data DIR               COUNTERMAND_AGENT_DATA              default /var/lib/countermand-agent
  --enrol TOKEN            COUNTERMAND_AGENT_ENROL             one-time token, for the first start
  --again                                                      with --enrol: a new key for the same device
  --server URL             COUNTERMAND_AGENT_SERVER            where the server is now, if it has moved
  --ca FILE                COUNTERMAND_AGENT_CA                what to trust instead of the CA that the token has brought
  --switch-off TYPE,…      COUNTERMAND_AGENT_SWITCH_OFF        action types that this host refuses
  --signatures DIR         COUNTERMAND_AGENT_SIGNATURES        for virus scans, instead of /var/lib/clamav
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
  const { values } = parseArgs({
    args: [...args],
    options: {
      data: word,
      enrol: word,
      again: flag,
      server: word,
      ca: word,
      'switch-off': word,
      signatures: word,
      tied: flag,
      pretend: flag,
      'allow-containment': flag,
    },
  })
  const isSet = (twin: string): boolean => ['1', 'true'].includes(env[`COUNTERMAND_AGENT_${twin}`] ?? '')
  const switchedOff = values['switch-off'] ?? env.COUNTERMAND_AGENT_SWITCH_OFF ?? ''
  return {
    dataFolder: resolve(values.data ?? env.COUNTERMAND_AGENT_DATA ?? '/var/lib/countermand-agent'),
    enrolmentToken: values.enrol ?? (env.COUNTERMAND_AGENT_ENROL || null),
    enrolAgain: values.again ?? false,
    server: values.server ?? (env.COUNTERMAND_AGENT_SERVER || null),
    caFile: values.ca ?? (env.COUNTERMAND_AGENT_CA || null),
    tied: values.tied ?? false,
    pretend: values.pretend ?? isSet('PRETEND'),
    allowContainment: values['allow-containment'] ?? isSet('ALLOW_CONTAINMENT'),
    signatures: values.signatures ?? (env.COUNTERMAND_AGENT_SIGNATURES || null),
    switchedOff: switchedOff.split(',').filter((name) => name !== ''),
  }
}
