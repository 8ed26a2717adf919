import './stage.ts'
import { test } from 'vitest'
import { given } from './given.ts'
import { run, scripts } from './script.ts'
import { World } from './world.ts'

test('spike', async () => {
  const g = await given()
  for (let i = 0; i < 5; i++) {
  const world = new World(g)
  const t0 = performance.now()
  await run(world, [{ do: 'exchange', order: [] }, { do: 'issue', by: 'ann' }, { do: 'exchange', order: [] }, { do: 'exchange', order: [] }, {do:'exit', which:0, leavesChild:false}, { do: 'exchange', order: [] }])
  console.log(world.turns.taken, performance.now() - t0, world.promises.ends)
  if (i==0) console.log(world.turns.labels.join(', '))
  }
})
