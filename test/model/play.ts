/** Lets a script happen, and then everything that has begun come to its end. */
import { during } from './outside.ts'
import { told, untilIdle, type Order, type Step } from './script.ts'
import { settled, type Pick } from './turns.ts'
import type { World } from './world.ts'

const pickBy = (order: Order): Pick => {
  let next = 0
  return () => {
    const pick = order[next % Math.max(order.length, 1)] ?? 0
    next += 1
    return pick
  }
}

const ofList = <T>(list: readonly T[], which: number): T | undefined =>
  list.toReversed()[which % Math.max(list.length, 1)]

/** A whole run. @throws Error with what was broken first. */
export async function run(world: World, steps: readonly Step[]): Promise<void> {
  await during(world, async () => {
    world.device.start(false)
    for (const step of steps) {
      await play(world, step)
      whole(world)
    }
    await heal(world)
    whole(world)
  })
}

function whole({ promises: { broken } }: World): void {
  if (broken.length > 0) throw new Error(broken.join('; '))
}

/** Does one step, and all that follows from it at once. */
async function play(world: World, step: Step): Promise<void> {
  world.story.push(`  ${told(step)}`)
  const meant = await act(world, step)
  await settled()
  if (!meant) world.story.push('      (nothing comes of it)')
}

/** False where it means nothing. */
async function act(world: World, step: Step): Promise<boolean> {
  const { server, device, network, machine, clock, promises } = world
  switch (step.do) {
    case 'issue':
      return (await server.issue(step.by)) !== null
    case 'cancel':
      return onAction(world, step.which, (id) => server.cancel(id, step.by))
    case 'force':
      return onAction(world, step.which, (id) => server.force(id, step.by))
    case 'work':
      await world.work(pickBy(step.order), step.turns)
      return true
    case 'exchange':
      return exchange(world, pickBy(step.order))
    case 'deliver':
      return deliver(world, step.which)
    case 'answer':
      return answer(world)
    case 'lose': {
      const passage = ofList(network.passages, step.which)
      if (passage !== undefined) network.lose(passage)
      return passage !== undefined
    }
    case 'sayAgain': {
      const statement = ofList(network.statements, step.which)
      if (statement !== undefined) await world.ask(statement)
      return statement !== undefined
    }
    case 'replay': {
      const recorded = ofList(network.replies, step.which)
      const live = network.live()
      if (recorded === undefined || live === null) return false
      network.answer(live, recorded)
      return true
    }
    case 'pass':
      await clock.pass(step.ms)
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
      return device.start(false)
    case 'cutPower':
      world.cutPower(pickBy(step.order))
      return true
    case 'enrolAgain':
      return world.enrolAgain()
    case 'wake':
      return network.wake()
    case 'expire':
      await server.expire()
      promises.expired()
      return true
    case 'restartServer':
      network.loseAll()
      return true
    case 'trouble':
      world.trouble(step)
      return true
    case 'backUp':
      return world.backUp()
    case 'restore':
      return world.restore()
  }
}

async function onAction(
  { promises }: World,
  which: number,
  ask: (id: string) => Promise<unknown>,
): Promise<boolean> {
  const id = ofList(promises.ids(), which)
  return id !== undefined && (await ask(id)) !== null
}

async function deliver(world: World, which: number): Promise<boolean> {
  const passage = ofList(world.network.asking(), which)
  if (passage === undefined) return false
  passage.answer = await world.ask(passage.statement)
  return true
}

async function answer({ network }: World): Promise<boolean> {
  const passage = network.live()
  if (passage?.answer == null) return false
  network.answer(passage, passage.answer)
  return true
}

async function exchange(world: World, pick: Pick): Promise<boolean> {
  const { network, device, clock } = world
  if (!device.isUp) return false
  network.wake()
  await world.work(pick, untilIdle)
  // Nobody listens, or a try has failed: the next one comes with time.
  for (const ms of [1_000, 31_000, 300_000]) {
    if (network.live() !== null) break
    await clock.pass(ms)
    await world.work(pick, untilIdle)
  }
  const passage = network.live()
  if (passage === null) return false
  network.answer(passage, passage.answer ?? (await world.ask(passage.statement)))
  await world.work(pick, untilIdle)
  return true
}

const mostRounds = 80
/** Some rounds pass without anything to see: a statement is said again, another one follows it. */
const quietRounds = 5

/** Whatever was wrong is put right; then everything that has begun comes to its end, without any deadline's help. */
async function heal(world: World): Promise<void> {
  const { network, machine, device, promises, story } = world
  story.push('  everything is put right, and goes on to its end')
  network.loseAll()
  world.trouble({ unkillable: 0, failing: 0, full: 0 })
  await world.work(pickBy([]), untilIdle)
  if (device.isLeaving || world.isEnrolling()) device.kill()
  device.start(world.isEnrolling())
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
  for (let round = 0; round < mostRounds && quiet < quietRounds; round += 1) {
    const before = stateOf()
    await clock.pass(2_000)
    await exchange(world, pickBy([]))
    quiet = stateOf() === before ? quiet + 1 : 0
    const running = machine.running()
    if (promises.areOver(running) && world.held().length === running.length) return
  }
}
