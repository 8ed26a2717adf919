/** What a tenant adds to every isolation: what passes besides, and what becomes of one that is not confirmed. */
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import type { Posture } from '@countermand/contract'
import { enrol } from '../../testing/device.ts'
import { expectStatus, impatient, openServer, unlimited } from '../../testing/server.ts'
import { settle } from '../../testing/standing.ts'

const allow = [{ address: '198.51.100.0/24', ports: [443] }, { owner: 'backup' }]

test('its list is for Selective only; whether to keep an isolation is for both, and for no release', async () => {
  const before = await openServer({ flags: [...unlimited, ...impatient, '--isolation-confirm', 'keep'] })
  const file = join(before.folder, 'countermand.yaml')
  const whileDown = (): void => writeFileSync(file, `isolationAllow: ${JSON.stringify(allow)}\n`)
  const server = await before.restart({ whileDown })
  try {
    const device = await enrol(server)
    const stands = async (tail: string, more: object): Promise<Posture> => {
      const path = `/api/machines/${device.machineId}/${tail}`
      const token = await server.token('Machine.Isolate')
      const body = { Comment: 'case 17', ...more }
      expectStatus(201, await server.ask({ method: 'POST', path, token, body }))
      return settle(device)
    }
    const selective = await stands('isolate', { IsolationType: 'Selective' })
    expect(selective).toMatchObject({ type: 'Selective', passage: { allow, confirm: 'keep' } })
    expect(await stands('isolate', {})).toMatchObject({
      type: 'Full',
      passage: { allow: [], confirm: 'keep' },
    })
    expect(await stands('unisolate', {})).toMatchObject({
      type: 'None',
      passage: { allow: [], confirm: 'revert' },
    })
  } finally {
    await server.close()
  }
})
