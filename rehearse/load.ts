/**
 * A constant load of actions, half of them cancelled, on all devices of a rehearsal; and in the end whether each of them ended as its
 * device knows it, whether any was forgotten, and what the server needed for it.
 */
import { readFileSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { diceOf, type Dice } from '../packages/agent/src/pretend/dice.ts'
import type { Truth } from '../packages/agent/src/pretend/truth.ts'
import type { MachineAction } from '../packages/contract/src/index.ts'
import { Refused, type Api } from './api.ts'

export interface LoadParts {
  readonly api: Api
  readonly serverPid: number
  /** Of the server, before there were any devices, in bytes. */
  readonly memoryBefore: number
  readonly seed: number
  readonly perSecond: number
  readonly seconds: number
  readonly devices: number
  /** Ids, as far as they are known. */
  readonly machines: () => readonly string[]
  /** What the devices know of every action. */
  readonly truths: () => Promise<ReadonlyMap<string, Truth>>
  readonly say: (line: string) => void
  readonly leaving: AbortSignal
}

export interface Verdict {
  /** What is wrong, a line for each; none where all is well. */
  readonly faults: readonly string[]
}

const comment = 'load'
const cancelledShare = 0.5
const longestBeforeCancelMs = 4_000
const overWithinMs = 180_000
const sampleEveryMs = 2_000
/** Of its memory in the middle of the load; more than that at its end is no longer flat. */
const mostGrowth = 0.25

const asks = [
  [
    'runliveresponse',
    { Commands: [{ type: 'RunScript', params: [{ key: 'ScriptName', value: 'load.sh' }] }] },
  ],
  ['collectInvestigationPackage', {}],
  ['runAntiVirusScan', { ScanType: 'Quick' }],
  ['isolate', { IsolationType: 'Full' }],
  ['unisolate', {}],
] as const

export async function runLoad(parts: LoadParts): Promise<Verdict> {
  const { api, seconds, perSecond, devices, say, leaving } = parts
  const before = parts.memoryBefore
  await upload(api)
  while (parts.machines().length < devices && !leaving.aborted) await pause(500)
  say(`load: ${devices} devices are there; ${perSecond} actions a second for ${seconds} s`)
  const samples: number[] = []
  const sampling = setInterval(() => samples.push(memoryOf(parts.serverPid)), sampleEveryMs)
  const asked = await askAll(parts)
  clearInterval(sampling)
  say(`load: ${asked.issued} asked for, ${asked.cancelled} of them taken back, ${asked.refused} refused`)
  const actions = await untilOver(parts)
  const none = asked.issued === 0 ? ['nothing was asked for'] : []
  const faults = [
    ...none,
    ...asked.faults,
    ...falsehoods(actions, await parts.truths()),
    ...growthOf(samples),
  ]
  const ends = new Map<string, number>()
  for (const { status } of actions) ends.set(status, (ends.get(status) ?? 0) + 1)
  say(`load: ${actions.length} actions: ${[...ends].map(([end, many]) => `${many} ${end}`).join(', ')}`)
  const most = Math.max(...samples, before)
  say(
    `load: server ${mega(before)} before the devices, ${mega(most)} at most: ${Math.round((most - before) / devices / 1024)} kB a device`,
  )
  for (const fault of faults) say(`load: WRONG: ${fault}`)
  say(
    faults.length === 0
      ? 'load: every action ended, and as its device knows it'
      : `load: ${faults.length} faults`,
  )
  return { faults }
}

interface Asked {
  issued: number
  cancelled: number
  refused: number
  /** Answers that should not have been. */
  readonly faults: string[]
}

async function askAll({ api, seed, perSecond, seconds, machines, leaving }: LoadParts): Promise<Asked> {
  const dice = diceOf(seed, 'load')
  const asked: Asked = { issued: 0, cancelled: 0, refused: 0, faults: [] }
  const underWay: Promise<void>[] = []
  const until = performance.now() + seconds * 1_000
  for (let turn = 1; performance.now() < until && !leaving.aborted; turn += 1) {
    underWay.push(one({ api, machines: machines(), asked }, dice))
    const due = until - seconds * 1_000 + (turn * 1_000) / perSecond
    await pause(Math.max(0, due - performance.now()))
  }
  await Promise.all(underWay)
  return asked
}

interface One {
  readonly api: Api
  readonly machines: readonly string[]
  readonly asked: Asked
}

/** One action, and perhaps its cancel. What is under way on a device already is refused, as it should be. */
async function one({ api, machines, asked }: One, dice: Dice): Promise<void> {
  const machine = machines[Math.floor(dice() * machines.length)]
  const [tail, body] = asks[Math.floor(dice() * asks.length)] ?? asks[0]
  const isCancelled = dice() < cancelledShare
  const afterMs = dice() * longestBeforeCancelMs
  const path = `/api/machines/${machine}/${tail}`
  const action = await taken<MachineAction>(asked, api.ask('POST', path, { ...body, Comment: comment }))
  if (action === null) return
  asked.issued += 1
  if (!isCancelled) return
  await pause(afterMs)
  const cancel = api.ask('POST', `/api/machineactions/${action.id}/cancel`, { Comment: comment })
  if ((await taken(asked, cancel)) !== null) asked.cancelled += 1
}

/** Null for what is refused as it should be (400): an action beside another one, a cancel of what had ended. Anything else is a fault. */
async function taken<Answer>(asked: Asked, answer: Promise<Answer>): Promise<Answer | null> {
  try {
    return await answer
  } catch (thrown) {
    if (thrown instanceof Refused && thrown.status === 400) asked.refused += 1
    else asked.faults.push(String(thrown))
    return null
  }
}

async function upload(api: Api): Promise<void> {
  const form = new FormData()
  form.set('file', new File(['echo load\n'], 'load.sh'))
  form.set('OverrideIfExists', 'true')
  await api.ask('POST', '/api/libraryfiles', form)
}

const isOpen = ({ status }: MachineAction): boolean => status === 'Pending' || status === 'InProgress'

/** All of them, once none is open any more, or the time for that is over. */
async function untilOver({ api, leaving, say }: LoadParts): Promise<readonly MachineAction[]> {
  const until = performance.now() + overWithinMs
  for (;;) {
    const actions = await listed(api)
    const open = actions.filter(isOpen).length
    if (open === 0 || leaving.aborted || performance.now() > until) return actions
    say(`load: still open: ${open}`)
    await pause(2_000)
  }
}

async function listed(api: Api): Promise<readonly MachineAction[]> {
  const all: MachineAction[] = []
  const filter = encodeURIComponent(`requestorComment eq '${comment}'`)
  let path: string | null = `/api/machineactions?$filter=${filter}`
  while (path !== null) {
    const page: { value: readonly MachineAction[]; '@odata.nextLink'?: string } = await api.ask('GET', path)
    all.push(...page.value)
    const next = page['@odata.nextLink']
    path = next === undefined ? null : next.slice(new URL(next).origin.length)
  }
  return all
}

function falsehoods(
  actions: readonly MachineAction[],
  truths: ReadonlyMap<string, Truth>,
): readonly string[] {
  return actions.flatMap((action) => {
    const why = whyFalse(action, truths.get(action.id) ?? 'never begun')
    return why === null ? [] : [`${action.type} ${action.id}: ${why}`]
  })
}

const beforeTheStart: readonly (string | null)[] = ['never_offered', 'not_received', 'refused_start']

/** What the server says, beside what its device knows. */
function whyFalse(action: MachineAction, truth: Truth): string | null {
  const { status, countermand } = action
  if (isOpen(action)) {
    const owner =
      countermand.deadlineUtc === null ? 'nobody is to end it' : `until ${countermand.deadlineUtc}`
    return `still ${countermand.phase}, ${owner}`
  }
  const said = `${status} (${countermand.proof ?? countermand.reason ?? ''}), and it was ${truth}`
  if (status === 'Succeeded') return truth === 'done' ? null : said
  if (status !== 'Cancelled') return null
  if (beforeTheStart.includes(countermand.proof)) return truth === 'never begun' ? null : said
  // A release or an isolation is undone; a package whose collecting is over is still to be brought.
  const isOver = action.type === 'LiveResponse' || action.type === 'RunAntiVirusScan'
  return isOver && truth === 'done' ? said : null
}

function growthOf(samples: readonly number[]): readonly string[] {
  const third = Math.floor(samples.length / 3)
  if (third === 0) return []
  const [middle, end] = [samples.slice(third, 2 * third), samples.slice(-third)].map(mean)
  if (middle === undefined || end === undefined || end <= middle * (1 + mostGrowth)) return []
  return [`the server grew from ${mega(middle)} to ${mega(end)} under a constant load`]
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, each) => sum + each, 0) / values.length

const mega = (bytes: number): string => `${Math.round(bytes / 1024 ** 2)} MB`

/** Resident, in bytes; 0 where the system does not tell. */
export function memoryOf(pid: number): number {
  try {
    const kilobytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]
    return Number(kilobytes ?? 0) * 1024
  } catch {
    return 0
  }
}
