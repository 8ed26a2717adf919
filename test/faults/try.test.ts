import { test } from 'vitest'
import { openMounts } from './mounts.ts'
import { withWorld } from '../end-to-end/fixture.ts'
import { setTimeout as pause } from 'node:timers/promises'
import { writeFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { until } from '../end-to-end/program.ts'

test('x', { timeout: 90_000 }, async () => {
  const mounts = await openMounts()
  let disk: ReturnType<typeof mounts.disk> | undefined
  try {
    await withWorld(
      {
        serverFlags: ['--settle-ms', '300'],
        around: (folder) => {
          disk ??= mounts.disk(folder, 'agent', 4 * 1024 * 1024)
          return mounts.inside
        },
      },
      async (world) => {
        const { api, device, dataFolder } = world
        let here = world.scratch('a')
        const a = await api.run(device.machineId, 'while sleep 0.1; do echo x; done')
        await api.untilAction(a.id, 'runs', (x) => x.status === 'InProgress')
        disk?.fill()
        console.log(JSON.stringify((await api.cancel(a.id, 'c')).action.status))
        await pause(3000)
        console.log(JSON.stringify((await api.action(a.id)).status))
        console.log('--- empty')
        disk?.empty()
        console.log(JSON.stringify((await api.untilOver(a.id)).countermand))
        // ends while full
        here = world.scratch('b')
        const b = await api.run(
          device.machineId,
          `touch ${here}/runs; while [ ! -e ${here}/go ]; do sleep 0.05; done; exit 5`,
        )
        await until('run', () => existsSync(join(here, 'runs')))
        disk?.fill()
        writeFileSync(join(here, 'go'), '')
        await pause(2000)
        disk?.empty()
        await pause(6000)
        const end = await api.action(b.id)
        console.log(end.status, JSON.stringify(end.commands))
        console.log(device.program.output())
        const c = await api.run(device.machineId, 'echo hi; exit 3')
        disk?.fill()
        await pause(2000)
        disk?.empty()
        await pause(6000)
        console.log(JSON.stringify((await api.action(c.id)).countermand))
        console.log(device.program.output())
      },
    )
  } finally {
    await mounts.close()
  }
})
