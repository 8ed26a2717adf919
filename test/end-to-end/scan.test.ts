/** The real scanner with a signature of our own: what it finds is told, and what is taken back scans no more. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MachineAction } from '@countermand/contract'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { needs } from '../needs.ts'
import { isRunning } from './api.ts'
import { textOf } from './beats.ts'
import { openWorld, processesWith, type World } from './fixture.ts'
import { until } from './program.ts'

const timeout = 120_000

/** The test string of eicar.org, in two parts so that this file is none. */
const eicar = ['X5O!P%@AP[4\\PZX54(P^)7CC)7}$EICAR', '-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*'].join('')
/** MD5, size and name, as clamscan reads them from an .hdb file. */
const signature = '44d88612fea8a8f36de82e1278abb02f:68:Countermand.Test.Eicar\n'

describe.skipIf(!needs('root') || !needs('cgroup2') || !needs('clamscan'))(
  'a virus scan',
  { timeout },
  () => {
    let world: World
    let signatures: string
    beforeAll(async () => {
      signatures = mkdtempSync(join(tmpdir(), 'countermand-signatures-'))
      writeFileSync(join(signatures, 'test.hdb'), signature)
      world = await openWorld({ agentFlags: ['--signatures', signatures] })
    }, timeout)
    afterAll(async () => {
      await world.close()
      rmSync(signatures, { recursive: true })
    }, timeout)

    const ask = (body: object): Promise<Response> =>
      world.api.ask('POST', `/api/machines/${world.device.machineId}/runAntiVirusScan`, body)
    const scanners = (): readonly number[] =>
      processesWith(`--database=${signatures}`).filter((pid) =>
        textOf(`/proc/${pid}/comm`).startsWith('clamscan'),
      )
    const atWork = (): Promise<boolean> => until('the scanner to be at work', () => scanners().length > 0)
    async function scan(ScanType: string): Promise<MachineAction> {
      const response = await ask({ Comment: 'end to end', ScanType })
      assert.equal(response.status, 201)
      const action: MachineAction = JSON.parse(await response.text())
      return action
    }

    test('finds what its signatures know in the places that malware starts from, and tells path and name', async () => {
      const place = join(world.scratch('drop zone'), 'invoice: №1.txt')
      writeFileSync(place, eicar)
      const { id } = await scan('Quick')
      const { status, countermand } = await world.api.untilOver(id)
      assert.equal(status, 'Succeeded', JSON.stringify(countermand))
      assert.deepEqual(
        countermand.findings.filter(({ path }) => path === place),
        [{ path: place, signature: 'Countermand.Test.Eicar.UNOFFICIAL' }],
      )
      rmSync(place)
    })

    test('of everything, taken back while it runs: no scanner is left, and the device has signed it', async () => {
      const { id } = await scan('Full')
      await world.api.untilAction(id, 'running', isRunning)
      await atWork()
      // Meanwhile it says which file it looks at.
      await world.api.untilAction(
        id,
        'at a file',
        ({ countermand }) => countermand.progress?.line?.startsWith('/') === true,
      )
      const { status, action } = await world.api.cancel(id)
      assert.deepEqual([status, action.status, action.countermand.proof], [200, 'Cancelled', 'stopped'])
      assert.deepEqual(scanners(), [])
    })

    test('whose scanner is killed from outside has failed, and says so', async () => {
      const { id } = await scan('Full')
      await atWork()
      for (const pid of scanners()) process.kill(pid, 'SIGKILL')
      const { status, countermand } = await world.api.untilOver(id)
      assert.equal(status, 'Failed', JSON.stringify(countermand))
    })

    test('on a host without signatures is refused, with the line that brings them', async () => {
      rmSync(join(signatures, 'test.hdb'))
      // What a device can do it says with each statement; this makes it speak.
      await world.api.untilOver((await world.api.run(world.device.machineId, '#!/bin/sh\n')).id)
      const response = await ask({ Comment: 'end to end', ScanType: 'Quick' })
      const { error }: { error: { code: string; message: string } } = JSON.parse(await response.text())
      assert.equal(error.code, 'ClientVersionNotSupported')
      assert.match(error.message, /freshclam/)
    })
  },
)
