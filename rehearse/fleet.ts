/** A process of many pretended devices. Told by its parent what to run; ends with it. */
import { readIdentity } from '../packages/agent/src/identity.ts'
import { PretendedDevice } from '../packages/agent/src/pretend/device.ts'
import { layLines } from '../packages/agent/src/pretend/line.ts'
import type { DeviceToRun, Order, Word } from './messages.ts'

const stateEveryMs = 1_000
/** So that hundreds do not enrol in the same moment. */
const startEveryMs = 10

const leaving = new AbortController()
const answers = new Map<number, (text: string) => void>()
let questions = 0

/** Nobody hears it once the parent has gone. */
const say = (word: Word): void => {
  if (process.connected) process.send?.(word, () => undefined)
}

function ask(
  about: { kind: 'token'; machineId: string | null } | { kind: 'comment'; actionId: string },
): Promise<string> {
  const question = (questions += 1)
  return new Promise((resolve) => {
    answers.set(question, resolve)
    say({ ...about, question })
  })
}

interface Running {
  readonly device: PretendedDevice
  readonly about: DeviceToRun
}

const running: Running[] = []

async function run({ devices, seed, speed, isSteady }: Order & { kind: 'run' }): Promise<void> {
  layLines()
  const told = new Set<string>()
  let telling = Promise.resolve()
  const tell = (): void => void (telling = telling.then(() => tellState(told)))
  const timer = setInterval(tell, stateEveryMs)
  const lives: Promise<void>[] = []
  for (const about of devices) {
    if (leaving.signal.aborted) break
    const device = new PretendedDevice({
      ...about,
      seed,
      speed,
      isSteady,
      tokenFor: (machineId) => ask({ kind: 'token', machineId }),
      commentOf: (actionId) => ask({ kind: 'comment', actionId }),
      log: (line) => say({ kind: 'log', device: about.name, line }),
    })
    running.push({ device, about })
    lives.push(device.live(leaving.signal))
    await new Promise((resolve) => setTimeout(resolve, startEveryMs))
  }
  await Promise.all(lives)
  clearInterval(timer)
  if (process.connected) process.disconnect?.()
}

async function tellState(told: Set<string>): Promise<void> {
  const enrolled: [string, string][] = []
  for (const { about } of running.filter(({ about: { name } }) => !told.has(name))) {
    const identity = await readIdentity(about.dataFolder).catch(() => null)
    if (identity === null) continue
    told.add(about.name)
    enrolled.push([identity.machineId, about.name])
  }
  say({ kind: 'state', reachable: running.filter(({ device }) => device.isReachable).length, enrolled })
}

process.on('message', (order: Order) => {
  if (order.kind === 'run') return void run(order)
  if (order.kind === 'truths')
    return say({ kind: 'truths', truths: running.flatMap(({ device }) => [...device.truths()]) })
  answers.get(order.question)?.(order.text)
  answers.delete(order.question)
})
// Ctrl-C reaches the whole group: the parent says when it is over.
process.on('SIGINT', () => undefined)
process.on('SIGTERM', () => leaving.abort())
process.on('disconnect', () => leaving.abort())
