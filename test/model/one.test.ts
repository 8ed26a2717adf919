import './stage.ts'
import { readFileSync } from 'node:fs'
import { test } from 'vitest'
import { given } from './given.ts'
import { heal, play, type Step } from './script.ts'
import { World } from './world.ts'

test('one', { timeout: 0 }, async () => {
  const steps: Step[] = JSON.parse(readFileSync(process.env.STEPS ?? '/tmp/steps.json', 'utf8'))
  const world = new World(await given())
  let seen = 0, turn = 0, broken = 0
  const show = async (what: string) => {
    console.log(`— ${what}`)
    const turns = world.turns.labels.slice(turn); turn = world.turns.labels.length
    if (turns.length) console.log('   ', turns.filter((l) => process.env.ALL || !/^(open|list|read|sync|write|unlink)/.test(l)).map((l) => l.replace(/ .*\//, ' ').replace(/\.tmp-.*/, '.draft')).join(', '))
    for (const line of world.story.splice(0)) console.log(line)
    const { events } = await world.server.tables()
    for (const { kind, data } of events.slice(seen)) console.log('    event', kind, JSON.stringify(data).slice(0, 200))
    seen = events.length
    for (const b of world.promises.broken.slice(broken)) console.log('    BROKEN', b)
    broken = world.promises.broken.length
  }
  await world.during(async () => {
    world.device.start()
    for (const step of steps) {
      const did = await play(world, step)
      await show(JSON.stringify(step) + (did ? '' : ' (nothing)'))
    }
    await heal(world)
    await show('heal')
  })
})
