import { test } from 'vitest'
import { openServer } from '../testing/server.ts'
import { enrol } from '../testing/device.ts'
test('smoke', async () => {
  let t = performance.now()
  const lap = (w: string) => {
    console.log(w, (performance.now() - t).toFixed(1))
    t = performance.now()
  }
  const s = await openServer()
  lap('open')
  await s.close()
  lap('close')
  const server = await openServer()
  lap('open2')
  await server.upload('run.sh')
  lap('upload')
  const d = await enrol(server)
  lap('enrol')
  const a = await server.issue(d.machineId)
  lap('issue')
  await d.bring(a.id, 'running')
  lap('running')
  console.log(await server.read(a.id))
  lap('read')
  console.log(
    server.history.faultsOf(d.machineId),
    server.history.events().map((e) => e.kind),
  )
  await server.close()
})
