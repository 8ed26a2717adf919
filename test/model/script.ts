/** What can happen in a run, as plain data that can be made at random, made smaller, and read. */
import * as fc from 'fast-check'
import { settled, type Pick } from './turns.ts'
import type { World } from './world.ts'

/** Of several, which one: the newest for 0. Of turns that could come next: the first for an empty list. */
type Which = number
type Order = readonly number[]

export type Step =
  | { readonly do: 'issue'; readonly by: string }
  | { readonly do: 'cancel'; readonly which: Which; readonly by: string }
  | { readonly do: 'force'; readonly which: Which; readonly by: string }
  | { readonly do: 'work'; readonly turns: number; readonly order: Order }
  | { readonly do: 'exchange'; readonly order: Order }
  | { readonly do: 'deliver'; readonly which: Which }
  | { readonly do: 'answer' }
  | { readonly do: 'lose'; readonly which: Which }
  | { readonly do: 'say again'; readonly which: Which }
  | { readonly do: 'replay'; readonly which: Which }
  | { readonly do: 'pass'; readonly ms: number }
  | { readonly do: 'exit'; readonly which: Which; readonly leavesChild: boolean }
  | { readonly do: 'kill' }
  | { readonly do: 'leave' }
  | { readonly do: 'start' }
  | { readonly do: 'cut'; readonly order: Order }
  | { readonly do: 'wake' }
  | { readonly do: 'expire' }
  | { readonly do: 'crash' }
  | { readonly do: 'trouble'; readonly unkillable: number; readonly failing: number }

const all = 10_000
const pickBy = (order: Order): Pick => {
  let next = 0
  return () => {
    const pick = order[next % Math.max(order.length, 1)] ?? 0
    next += 1
    return pick
  }
}

const ofList = <T>(list: readonly T[], which: Which): T | undefined => list.toReversed()[which % Math.max(list.length, 1)]

const which = fc.nat({ max: 3 })
const by = fc.constantFrom('ann', 'bob')
const order = fc.array(fc.nat({ max: 5 }), { maxLength: 6 })
const seconds = 1_000
const minutes = 60 * seconds
const hours = 60 * minutes

const moments = [seconds, seconds, 5 * seconds, 29 * seconds, 31 * seconds, 31 * seconds, 6 * minutes, 11 * minutes, 25 * hours, 73 * hours]

const weighted = {
  exchange: [10, { order }],
  work: [10, { turns: fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 40 }), fc.constant(all)), order }],
  issue: [6, { by }],
  cancel: [6, { which, by }],
  force: [1, { which, by }],
  deliver: [6, { which }],
  answer: [6, {}],
  lose: [2, { which }],
  'say again': [2, { which: fc.nat({ max: 20 }) }],
  replay: [2, { which: fc.nat({ max: 20 }) }],
  pass: [6, { ms: fc.constantFrom(...moments) }],
  exit: [4, { which, leavesChild: fc.boolean() }],
  kill: [3, {}],
  leave: [1, {}],
  start: [5, {}],
  cut: [2, { order }],
  wake: [2, {}],
  expire: [2, {}],
  crash: [1, {}],
  trouble: [1, { unkillable: fc.nat({ max: 2 }), failing: fc.nat({ max: 2 }) }],
} as const satisfies { readonly [Name in Step['do']]: readonly [number, object] }

const step: fc.Arbitrary<Step> = fc.oneof(
  ...Object.entries(weighted).map(([name, [weight, fields]]) => ({
    weight,
    arbitrary: fc.record({ do: fc.constant(name), ...fields }) as unknown as fc.Arbitrary<Step>,
  })),
)

export const scripts: fc.Arbitrary<readonly Step[]> = fc.array(step, { minLength: 1, maxLength: 60, size: 'max' })

/** Does one step, and all that follows from it at once; false where it meant nothing. */
export async function play(world: World, step: Step): Promise<boolean> {
  const meant = await act(world, step)
  await settled()
  return meant
}

async function act(world: World, step: Step): Promise<boolean> {
  const { server, device, network, machine } = world
  switch (step.do) {
    case 'issue':
      return (await server.issue(step.by)) !== null
    case 'cancel':
      return onAction(world, step.which, (id) => server.cancel(id, step.by))
    case 'force':
      return onAction(world, step.which, (id) => server.force(id, step.by))
    case 'work':
      await world.play(pickBy(step.order), step.turns)
      return true
    case 'exchange':
      return exchange(world, pickBy(step.order))
    case 'deliver': {
      const passage = ofList(network.asking(), step.which)
      if (passage === undefined) return false
      passage.answer = await world.ask(passage.jws)
      return true
    }
    case 'answer': {
      const passage = network.live()
      if (passage?.answer == null) return false
      network.answer(passage, passage.answer)
      return true
    }
    case 'lose': {
      const passage = ofList(network.passages, step.which)
      if (passage !== undefined) network.lose(passage)
      return passage !== undefined
    }
    case 'say again': {
      const jws = ofList(network.statements, step.which)
      if (jws !== undefined) await world.ask(jws)
      return jws !== undefined
    }
    case 'replay': {
      const recorded = ofList(network.replies, step.which)
      const live = network.live()
      if (recorded === undefined || live === null) return false
      network.answer(live, recorded)
      return true
    }
    case 'pass':
      await world.clock.pass(step.ms)
      return true
    case 'exit': {
      const id = ofList(machine.running(), step.which)
      return id !== undefined && machine.exit(id, 0, step.leavesChild)
    }
    case 'kill':
      return device.kill()
    case 'leave':
      return device.leave()
    case 'start':
      return device.start()
    case 'cut':
      world.cut(pickBy(step.order))
      return true
    case 'wake':
      return network.wake()
    case 'expire':
      await server.expire()
      return true
    case 'crash':
      network.loseAll()
      return true
    case 'trouble':
      machine.unkillable = step.unkillable
      network.failing = step.failing
      return true
  }
}

async function onAction(
  { promises }: World,
  which: Which,
  act: (id: string) => Promise<unknown>,
): Promise<boolean> {
  const id = ofList(promises.ids(), which)
  return id !== undefined && (await act(id)) !== null
}

/** A statement, its answer, and all that follows, as on a day without trouble. */
async function exchange(world: World, pick: Pick): Promise<boolean> {
  const { network, device } = world
  if (!device.isUp) return false
  network.wake()
  await world.play(pick)
  for (const ms of [1_000, 31_000, 300_000]) {
    if (network.live() !== null) break
    await world.clock.pass(ms)
    await world.play(pick)
  }
  const passage = network.live()
  if (passage === null) return false
  network.answer(passage, passage.answer ?? (await world.ask(passage.jws)))
  await world.play(pick)
  return true
}

const rest = 80

/** Whatever was wrong is put right; then everything that has begun comes to its end, without any deadline's help. */
export async function heal(world: World): Promise<void> {
  const { network, machine, device, promises } = world
  network.loseAll()
  machine.unkillable = 0
  network.failing = 0
  await world.play(pickBy([]))
  if (device.isLeaving) device.kill()
  device.start()
  await untilQuiet(world)
  promises.cancelsAreSettled()
  for (const id of machine.running()) machine.exit(id, 0, false)
  await untilQuiet(world)
  promises.atRest(world.held())
}

/** Until all that is left are scripts that nobody has asked to stop, or nothing moves any more. */
async function untilQuiet(world: World): Promise<void> {
  const { promises, clock, machine } = world
  const stateOf = (): string => `${promises.known()} ${world.held().length}`
  let quiet = 0
  for (let round = 0; round < rest && quiet < 5; round += 1) {
    const before = stateOf()
    await clock.pass(2_000)
    await exchange(world, pickBy([]))
    quiet = stateOf() === before ? quiet + 1 : 0
    const running = machine.running()
    if (promises.areOver(running) && world.held().length === running.length) return
  }
}

/** A whole run. Throws what was broken first. */
export async function run(world: World, steps: readonly Step[]): Promise<void> {
  await world.during(async () => {
    world.device.start()
    for (const step of steps) {
      await play(world, step)
      whole(world)
    }
    await heal(world)
    whole(world)
  })
}

function whole({ promises: { broken } }: World): void {
  if (broken[0] !== undefined) throw new Error(broken.join('; '))
}
