/** A real day's database, and faults planted into copies of it as data. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { openServer, type TestServer } from '../../testing/server.ts'
import type { FaultKind } from '../fault.ts'
import { Copy } from './copies.ts'
import { live, type Lives } from './lives.ts'

export interface Planted {
  readonly name: string
  readonly plant: (copy: Copy, lives: Lives) => void | Promise<void>
  /** On whose chain it is found; the calm device's where it is left out. */
  readonly on?: (lives: Lives) => string
  readonly kind: FaultKind
  readonly where: RegExp
  readonly what?: RegExp
}

export const calm = ({ calm: { machineId } }: Lives): string => machineId
export const open = ({ open: { machineId } }: Lives): string => machineId
export const busy = ({ busy: { machineId } }: Lives): string => machineId
export const eventAt = (sequence: number): RegExp => new RegExp(`^events: sequence ${sequence}, row \\d+ \\(`)

/** One day for all lists of a test file. Each fault must be found as what it is, and nothing else with it. */
export function planted(lists: Readonly<Record<string, readonly Planted[]>>): void {
  let server: TestServer
  let lives: Lives
  beforeAll(async () => {
    server = await openServer({ databaseUrl: null })
    lives = await live(server)
  })
  afterAll(() => server.close())

  test('a whole day holds', async () => {
    const copy = new Copy(server)
    assert.deepEqual(await copy.found(), [])
    copy.close()
  })
  for (const [title, list] of Object.entries(lists)) {
    describe(title, () => {
      for (const each of list) test(each.name, () => find(new Copy(server), lives, each))
    })
  }
}

async function find(
  copy: Copy,
  lives: Lives,
  { plant, on = calm, kind, where, what = /./ }: Planted,
): Promise<void> {
  try {
    await plant(copy, lives)
    const found = await copy.found()
    const short = found.map((fault) => [fault.chain, fault.kind])
    assert.deepEqual(short, [[on(lives), kind]], JSON.stringify(found, null, 2))
    assert.match(found[0]?.where ?? '', where)
    assert.match(found[0]?.what ?? '', what)
  } finally {
    copy.close()
  }
}
