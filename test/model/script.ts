/** What can happen in a run: plain data that can be made at random, made smaller, and read. */
import * as fc from 'fast-check'

/** Of several, which one: the newest for 0. */
type Which = number
/** Which of the turns that could come next does; always the first where it is empty. */
export type Order = readonly number[]

/** The words of each step, and what it says to a reader. */
interface Steps {
  issue: { readonly by: string }
  cancel: { readonly which: Which; readonly by: string }
  force: { readonly which: Which; readonly by: string }
  /** The device works, for so many turns, or as long as there is something to do. */
  work: { readonly turns: number; readonly order: Order }
  /** Wake-up, statement, answer and all that follows, as on a day without trouble. */
  exchange: { readonly order: Order }
  deliver: { readonly which: Which }
  answer: object
  lose: { readonly which: Which }
  sayAgain: { readonly which: Which }
  replay: { readonly which: Which }
  pass: { readonly ms: number }
  exit: { readonly which: Which; readonly leavesChild: boolean }
  kill: object
  leave: object
  start: object
  cutPower: { readonly order: Order }
  enrolAgain: object
  wake: object
  expire: object
  restartServer: object
  trouble: { readonly unkillable: number; readonly failing: number; readonly full: number }
  backUp: object
  restore: object
}

type Name = keyof Steps
export type Step = { [Of in Name]: { readonly do: Of } & Steps[Of] }[Name]

export const untilIdle = 10_000

const which = fc.nat({ max: 3 })
const record = fc.nat({ max: 20 })
const by = fc.constantFrom('ann', 'bob')
const order = fc.array(fc.nat({ max: 5 }), { maxLength: 6 })
const someTurns = fc.integer({ min: 1, max: 40 })
const turns = fc.oneof(someTurns, someTurns, fc.constant(untilIdle))
// On both sides of what matters: 30 s of a permission, the run limit, and the deadlines, which are days.
const seconds = [1, 1, 5, 29, 31, 31, 360, 660, 25 * 3_600, 73 * 3_600]
const ms = fc.constantFrom(...seconds.map((some) => some * 1_000))
const few = fc.nat({ max: 2 })

type Fields<Of extends Name> = { [Key in keyof Steps[Of]]: fc.Arbitrary<Steps[Of][Key]> }
type Weighted = { readonly [Of in Name]?: readonly [number, Fields<Of>] }

const usual = {
  exchange: [16, { order }],
  work: [10, { turns, order }],
  issue: [8, { by }],
  cancel: [8, { which, by }],
  force: [1, { which, by }],
  deliver: [6, { which }],
  answer: [6, {}],
  lose: [2, { which }],
  sayAgain: [2, { which: record }],
  replay: [2, { which: record }],
  pass: [6, { ms }],
  exit: [4, { which, leavesChild: fc.boolean() }],
  kill: [3, {}],
  leave: [1, {}],
  start: [5, {}],
  cutPower: [2, { order }],
  enrolAgain: [1, {}],
  wake: [2, {}],
  expire: [2, {}],
  restartServer: [1, {}],
  trouble: [1, { unkillable: few, failing: few, full: few }],
} satisfies Weighted

const aStep = <Of extends Name>(name: Of, fields: Fields<Of>): fc.Arbitrary<Step> =>
  fc.record({ do: fc.constant(name), ...fields }) as unknown as fc.Arbitrary<Step>

const some = { turns: someTurns, order }
const first = { which: fc.constant(0) }
const untilQuiet = { turns: fc.constant(untilIdle), order: fc.constant([]) }
const goesOn = fc.oneof(aStep('work', untilQuiet), aStep('exchange', { order }))
const begins = [aStep('issue', { by }), aStep('exchange', { order }), aStep('work', some)]
const cancelArrives = [aStep('deliver', first), aStep('answer', {}), aStep('work', some)]
const diesAnywhere = [aStep('work', some), aStep('kill', {}), aStep('start', {}), goesOn]
const losesPower = [aStep('cutPower', { order }), aStep('deliver', first), aStep('start', {})]
/** What would seldom come together by chance. */
const together: readonly [number, fc.Arbitrary<Step>[]][] = [
  [3, begins],
  [3, [aStep('cancel', { ...first, by }), ...cancelArrives]],
  [2, [...diesAnywhere, ...losesPower]],
]

const scriptsOf = (weighted: Weighted): fc.Arbitrary<readonly Step[]> => {
  const single = Object.entries(weighted).map(([name, [weight, fields]]) => ({
    weight,
    arbitrary: fc.tuple(aStep(name as Name, fields as never)),
  }))
  const several = together.map(([weight, steps]) => ({ weight, arbitrary: fc.tuple(...steps) }))
  const parts = fc.array(fc.oneof(...single, ...several), { minLength: 1, maxLength: 50, size: 'max' })
  return parts.map((steps) => steps.flat())
}

export const scripts = scriptsOf(usual)
const { enrolAgain: _, ...known } = usual
/** A server that is put back from a backup has forgotten what it had said since; an enrolment would have to be made again. */
export const scriptsWithRestores = scriptsOf({ ...known, backUp: [2, {}], restore: [2, {}] })

const newest = (index: Which, what: string): string =>
  index === 0 ? `the newest ${what}` : `the newest ${what} but ${index}`
const inOrder = (picks: Order): string => (picks.length === 0 ? '' : `, in the order ${picks.join(' ')}`)

/** A step as a sentence. */
export function told(step: Step): string {
  switch (step.do) {
    case 'issue':
      return `${step.by} issues an action`
    case 'cancel':
      return `${step.by} cancels ${newest(step.which, 'action')}`
    case 'force':
      return `${step.by} attests that ${newest(step.which, 'action')} is cancelled`
    case 'work':
      return `the device works ${step.turns === untilIdle ? 'until nothing is left to do' : `for ${step.turns} turns`}${inOrder(step.order)}`
    case 'exchange':
      return `the device says a statement, is answered, and obeys${inOrder(step.order)}`
    case 'deliver':
      return `${newest(step.which, 'statement')} on its way reaches the server`
    case 'answer':
      return 'the answer reaches the device'
    case 'lose':
      return `the connection with ${newest(step.which, 'statement')} breaks`
    case 'sayAgain':
      return `somebody says ${newest(step.which, 'statement')} to the server again`
    case 'replay':
      return `somebody answers the device with ${newest(step.which, 'reply')} recorded`
    case 'pass':
      return `${step.ms / 1_000} s pass`
    case 'exit':
      return `${newest(step.which, 'script')} that runs ends by itself${step.leavesChild ? ' and leaves a child' : ''}`
    case 'kill':
      return 'the agent is killed'
    case 'leave':
      return 'the agent is told to leave'
    case 'start':
      return 'an agent starts'
    case 'cutPower':
      return `the device’s power is cut, and comes back${inOrder(step.order)}`
    case 'enrolAgain':
      return 'the agent is killed, and enrols again'
    case 'wake':
      return 'a wake-up reaches the device'
    case 'expire':
      return 'the server looks for what has waited too long'
    case 'restartServer':
      return 'the server dies and starts again'
    case 'trouble':
      return `from now on ${step.unkillable} ends find something unkillable, ${step.failing} transfers fail, ${step.full} writes find the disk full`
    case 'backUp':
      return 'the server is backed up'
    case 'restore':
      return 'the server is put back from its backup'
  }
}
