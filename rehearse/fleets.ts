/** The devices of a rehearsal, in processes of their own: hundreds share one. */
import { fork, type ChildProcess } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Truth } from '../packages/agent/src/pretend/truth.ts'
import type { DeviceToRun, Order, Word } from './messages.ts'
import type { Options } from './options.ts'

const program = fileURLToPath(new URL('./fleet.ts', import.meta.url))
const mostInOne = 1_000

export interface FleetParts extends Pick<Options, 'seed' | 'speed' | 'isSteady'> {
  readonly devices: readonly DeviceToRun[]
  readonly tokenFor: (machineId: string | null) => Promise<string>
  readonly commentOf: (actionId: string) => Promise<string>
  readonly told: (fleet: number, word: Word & { kind: 'state' }) => void
  readonly log: (device: string, line: string) => void
}

export interface Fleets {
  readonly pids: readonly number[]
  /** What has really become of every action that a device has begun. */
  truths(): Promise<ReadonlyMap<string, Truth>>
  /** Rejects when a process ends before it was told to. */
  readonly died: Promise<never>
  stop(): Promise<void>
}

export function startFleets({ devices, seed, speed, isSteady, ...parts }: FleetParts): Fleets {
  const many = Math.ceil(devices.length / mostInOne)
  const share = Math.ceil(devices.length / many)
  const processes = Array.from({ length: many }, (_, index) => {
    const child = fork(program, [], { detached: true })
    child.on('message', (word: Word) => void answer(child, index, word, parts))
    const some = devices.slice(index * share, (index + 1) * share)
    child.send({ kind: 'run', devices: some, seed, speed, isSteady } satisfies Order)
    const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    return { child, ended }
  })
  const died = Promise.race(processes.map(({ ended }) => ended)).then(() => {
    throw new Error('A process of devices has ended.')
  })
  died.catch(() => undefined)
  const truthsOf = ({ child }: (typeof processes)[number]): Promise<readonly (readonly [string, Truth])[]> =>
    new Promise((resolve) => {
      const hear = (word: Word): void => {
        if (word.kind !== 'truths') return
        child.off('message', hear)
        resolve(word.truths)
      }
      child.on('message', hear)
      child.send({ kind: 'truths' } satisfies Order)
    })
  return {
    truths: async () => new Map((await Promise.all(processes.map(truthsOf))).flat()),
    pids: processes.map(({ child }) => child.pid ?? 0),
    died,
    stop: async () => {
      for (const { child } of processes) if (child.connected) child.disconnect()
      await Promise.all(processes.map(({ ended }) => ended))
    },
  }
}

async function answer(
  child: ChildProcess,
  fleet: number,
  word: Word,
  parts: Pick<FleetParts, 'tokenFor' | 'commentOf' | 'told' | 'log'>,
): Promise<void> {
  if (word.kind === 'state') return parts.told(fleet, word)
  if (word.kind === 'truths') return
  if (word.kind === 'log') return parts.log(word.device, word.line)
  const { question } = word
  const text = await (word.kind === 'token' ? parts.tokenFor(word.machineId) : parts.commentOf(word.actionId))
  if (child.connected) child.send({ kind: 'answer', question, text } satisfies Order)
}
