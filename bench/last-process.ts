/**
 * From the cancel call to the last process gone, on an agent of this host. Every process of a script holds a pipe open; its
 * end is the moment when the last of them is gone, seen without looking for any.
 */
import { execFileSync } from 'node:child_process'
import { createReadStream } from 'node:fs'
import { join } from 'node:path'
import { openWorld } from '../test/end-to-end/fixture.ts'
import { isRunning } from '../test/end-to-end/api.ts'
import { quantiles } from './load.ts'

const runs = 40

/** Ten processes: ignoring SIGTERM, in sessions of their own, with an empty environment. */
const scriptFor = (pipe: string): string => `#!/bin/sh
exec 3>${pipe}
trap '' TERM
for i in 1 2 3 4; do (sleep 600) & setsid sleep 600 & done
env -i sleep 600 &
echo ready >&3
wait
`

export async function benchLastProcess(): Promise<void> {
  console.log(`cancelling ${runs} scripts of ten processes each on a local agent …`)
  const world = await openWorld({ embedded: true })
  try {
    const gone: number[] = []
    const answered: number[] = []
    for (let run = 0; run < runs; run += 1) {
      const pipe = join(world.folder, `pipe-${run}`)
      execFileSync('mkfifo', [pipe])
      const reader = createReadStream(pipe)
      const { id } = await world.api.run(world.device.machineId, scriptFor(pipe))
      await new Promise((resolve) => reader.once('data', resolve))
      await world.api.untilAction(id, 'running', isRunning)
      const began = performance.now()
      const end = new Promise<void>((resolve) => {
        reader.once('end', () => {
          gone.push(performance.now() - began)
          resolve()
        })
      })
      const { action } = await world.api.cancel(id)
      answered.push(performance.now() - began)
      if (action.status !== 'Cancelled') throw new Error(`the cancel was answered ${action.status}`)
      await end
    }
    print('cancel call → last process gone', gone)
    print('cancel call → Cancelled, with proof', answered)
  } finally {
    await world.close()
  }
}

function print(what: string, times: readonly number[]): void {
  const { p50Ms, p99Ms } = quantiles(times)
  console.log(`${what}: median ${p50Ms.toFixed(1)} ms, p99 ${p99Ms.toFixed(1)} ms (${times.length} runs)`)
}
