/** One action that many want to cancel at the very time at which its device asks for it, then driven to its end. */
import assert from 'node:assert/strict'
import type { Reply } from '@countermand/contract'
import type { Requested } from '../app/actions/cancel-action.ts'
import type { Action } from '../core/action-shape.ts'
import { post, opened, type TestDevice } from './device.ts'
import { numbers, oneOf, type Dice } from './dice.ts'
import { plainCancel } from './given.ts'
import type { KeptEvent } from './history.ts'
import { expectStatus, type TestServer } from './server.ts'

export type Nodes = readonly [TestServer, ...TestServer[]]

interface Outcome {
  readonly id: string
  readonly reply: Reply
  readonly answers: readonly Requested[]
}

const callers = ['ann', 'bob', 'cleo', 'dan'] as const
const comments = ['mistake', 'wrong host'] as const

async function turns(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) await new Promise(setImmediate)
}

/** How long before the cancels the statement leaves; finds its way to where either may be first. */
export interface Lead {
  ms: number
}

/** 40 cancels and one statement, all under way together, each to whichever server it meets. */
async function race(nodes: Nodes, device: TestDevice, roll: Dice, lead: Lead): Promise<Outcome> {
  const { id } = await oneOf(roll, nodes).issue(device.machineId)
  const said = await device.say()
  const send = async (): Promise<Reply> => {
    const answer = await post(oneOf(roll, nodes), '/device/sync', said.jws)
    expectStatus(200, answer)
    return opened<Reply>(answer.text, device.orderKey, 'countermand-reply+jws')
  }
  const ask = async () => {
    const request = { id, by: oneOf(roll, callers), comment: oneOf(roll, comments), ...plainCancel }
    const node = oneOf(roll, nodes)
    await turns(roll(4))
    return node.app.store.write('requestCancel', request)
  }
  const sent = send()
  await new Promise((over) => setTimeout(over, lead.ms))
  const answers = await Promise.all(numbers(40).map(ask))
  return { id, reply: await sent, answers }
}

const kindsOf = (events: readonly KeptEvent[]): readonly string[] =>
  events.map(({ kind }) => kind.replace('action.', ''))
const countOf = (kinds: readonly string[], kind: string): number =>
  kinds.filter((each) => each === kind).length

/** Either an offer left or the cancel was first; nobody was told anything in between. */
function checkRace([{ history }]: Nodes, { id, reply, answers }: Outcome): boolean {
  const kinds = kindsOf(history.ofAction(id))
  const wasOffered = kinds.includes('offered')
  assert.equal(countOf(kinds, 'offered'), wasOffered ? 1 : 0)
  assert.equal(
    reply.offers.some((offer) => offer.id === id),
    wasOffered,
    'the reply offers what was written down as offered',
  )
  const granted = answers.filter(({ refused }) => refused === null)
  assert.equal(countOf(kinds, 'cancel_requested'), granted.length, 'each request is kept once')
  assert.equal(countOf(kinds, 'cancel_denied'), answers.length - granted.length)
  if (wasOffered) {
    assert.equal(granted.length, answers.length)
    assert.deepEqual(new Set(granted.map(({ action }) => action.proof)), new Set([null]))
    return true
  }
  const [cancelled] = granted.map(({ action }) => action)
  for (const { action, refused } of answers) {
    assert.deepEqual([action.phase, action.proof], ['cancelled', 'never_offered'])
    assert.deepEqual(action.cancel, cancelled?.cancel, 'the first request stands')
    if (refused !== null) assert.match(refused.message, new RegExp(`by ${cancelled?.cancel?.by} `))
  }
  return false
}

/** What a device with the offer in hand does once it hears of the cancel. */
async function drive(nodes: Nodes, device: TestDevice, { id, reply }: Outcome, roll: Dice): Promise<void> {
  const how = oneOf(roll, ['lose', 'refuse', 'stop', 'finish'] as const)
  const sync = (): Promise<Reply> => {
    device.server = oneOf(roll, nodes)
    return device.sync()
  }
  device.obey(how === 'lose' ? { ...reply, offers: [] } : reply)
  if (how !== 'lose') {
    assert.deepEqual((await sync()).cancels, [id])
    if (how === 'refuse') device.refuseStart(id)
    else device.start(id)
    if (how === 'stop') device.stop(id)
    if (how === 'finish') device.finish(id)
  }
  await sync()
  await sync()
}

/** In the same step as another event, or in none. */
const noStep: readonly string[] = ['requested', 'cancel_denied', 'cancel_too_late']

function stepsOf(events: readonly KeptEvent[], { proof }: Action): number {
  const own = events.filter(({ data }) => data.repeated !== true)
  const steps = kindsOf(own).filter((kind) => !noStep.includes(kind))
  return steps.length - (proof === 'never_offered' ? 1 : 0)
}

const finals: readonly string[] = ['cancelled', 'succeeded', 'failed', 'timed_out']

/** Whether the offer was first. */
export async function playRound(nodes: Nodes, device: TestDevice, roll: Dice, lead: Lead): Promise<boolean> {
  const outcome = await race(nodes, device, roll, lead)
  const wasOffered = checkRace(nodes, outcome)
  lead.ms *= wasOffered ? 0.7 : 1.5
  if (wasOffered) await drive(nodes, device, outcome, roll)
  else device.obey(outcome.reply)

  const [{ app, history }] = nodes
  const action = await app.store.read('action', outcome.id)
  const events = history.ofAction(outcome.id)
  const ends = kindsOf(events).filter((kind) => finals.includes(kind))
  assert.ok(action)
  assert.deepEqual(ends, [action.phase], 'one final state')
  assert.equal(action.proof === 'never_offered', !wasOffered)
  assert.equal(action.version, 1 + stepsOf(events, action), 'no version without its event')
  return wasOffered
}
