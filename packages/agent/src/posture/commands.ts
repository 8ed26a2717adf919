/** `status`, `release`, `restore` and `quarantine`: what somebody in front of the host may ask, whether an agent runs beside or not. */
import { createInterface } from 'node:readline/promises'
import type { Host } from '../host/host.ts'
import { quarantineCommand } from '../host/quarantine/commands.ts'
import type { Identity } from '../identity.ts'
import { plainly } from '../trouble.ts'
import { controlsOf, type Control } from './control.ts'
import { NotReleased, challenge, release, type ReleaseParts } from './release.ts'
import { nothing } from './posture-file.ts'
import { restore } from './restore.ts'
import { status } from './status.ts'

export const commands = ['status', 'release', 'restore', 'quarantine'] as const
export type Command = (typeof commands)[number]

export interface CommandParts {
  readonly dataFolder: string
  readonly identity: Identity | null
  readonly host: Pick<Host, 'firewall' | 'execution' | 'quarantine' | 'bootSeconds' | 'bootId' | 'now'>
  /** What follows the command. */
  readonly words: readonly string[]
  /** To `release`; null where it is asked for. */
  readonly answer: string | null
  readonly input: NodeJS.ReadableStream
  readonly say: (line: string) => void
}

/** The status to exit with. */
export async function carryOut(command: Command, parts: CommandParts): Promise<number> {
  const { dataFolder, identity, host, say } = parts
  const controls = controlsOf(host, identity?.server ?? null)
  if (command === 'status') {
    for (const line of await status({ dataFolder, identity, controls })) say(line)
    return 0
  }
  if (command === 'quarantine') {
    const said = await quarantineCommand(host.quarantine, parts.words)
    for (const line of said.lines) say(line)
    return said.status
  }
  if (identity === null) {
    say('This device is enrolled nowhere: there is nothing to put back or to lift.')
    return command === 'restore' ? 0 : 1
  }
  if (command === 'restore') {
    const isDone = []
    for (const control of controls) isDone.push(await putBack(control, parts))
    return isDone.every(Boolean) ? 0 : 1
  }
  return lift({ dataFolder, identity, controls, now: () => host.now() }, parts)
}

/** Whether it could be: what cannot is no reason to leave the rest. */
async function putBack(control: Control, { dataFolder, host, say }: CommandParts): Promise<boolean> {
  try {
    const document = (await restore({ dataFolder, control, host })) ?? nothing
    say(`The host is ${control.describe(document).state}.`)
    return true
  } catch (thrown) {
    say(`The ${control.aspect} of this host could not be put back: ${plainly(thrown)}`)
    return false
  }
}

async function lift(parts: ReleaseParts, { answer, input, say }: CommandParts): Promise<number> {
  try {
    await release(parts, answer ?? (await askedFor(parts, input, say)))
  } catch (thrown) {
    if (!(thrown instanceof NotReleased)) throw thrown
    say(thrown.message)
    return 1
  }
  say(
    'Released: nothing of Countermand keeps this host from the network or from starting programs until its next contact with the server.',
  )
  return 0
}

async function askedFor(
  parts: ReleaseParts,
  input: NodeJS.ReadableStream,
  say: (line: string) => void,
): Promise<string> {
  const text = await challenge(parts)
  say('Challenge:')
  say(text)
  say('An operator with the permission Countermand.Release asks the server:')
  say(`  POST /api/countermand/devices/${parts.identity.machineId}/release`)
  say(`  {"Challenge": "${text}"}`)
  say('Paste the answer here and press Enter (or later: countermand-agent release --answer TEXT):')
  const lines = createInterface({ input })
  try {
    for await (const line of lines) if (line.trim() !== '') return line
  } finally {
    lines.close()
  }
  throw new NotReleased('No answer was given; the challenge stays open.')
}
