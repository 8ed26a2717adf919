/** How a device comes to stand as it was told (`docs/protocol.md`), each step when a test wants it. */
import assert from 'node:assert/strict'
import type { Posture, Reply } from '@countermand/contract'
import { outcome, type TestDevice } from './device.ts'

export function postureIn(reply: Reply): Posture {
  assert.ok(reply.posture, 'the reply says how to stand')
  return reply.posture
}

/** The document is on the device's disk: it works on it from now on. */
export function take(device: TestDevice, { generation, isolation, withdrawn }: Posture): void {
  assert.ok(device.posture)
  device.posture = { ...device.posture, taken: generation }
  const { action } = isolation
  if (action !== null && action !== device.posture.isolation.action)
    device.tell({ kind: 'started', action, commands: [outcome('Created')] })
  for (const id of withdrawn) device.tell({ kind: 'cancel_acknowledged', action: id })
}

/** It stands, was read back, and an exchange after that was answered. */
export function stand(device: TestDevice, { generation, isolation, withdrawn }: Posture): void {
  const { action, type } = isolation
  device.posture = { taken: generation, stands: generation, isolation: { action, type } }
  const commands = [outcome('Completed')]
  if (action !== null) device.tell({ kind: 'finished', action, outcome: 'succeeded', detail: null, commands })
  for (const id of withdrawn) device.tell({ kind: 'reverted', action: id, commands: [] })
}

/** It was tried, and the device stands as before. */
export function fail(device: TestDevice, { isolation }: Posture, detail: string): void {
  const { action } = isolation
  assert.ok(action)
  const commands = [outcome('Created')]
  device.tell({ kind: 'finished', action, outcome: 'failed', detail, commands })
}

/** Whole exchanges, until the device stands as it was told last. */
export async function settle(device: TestDevice): Promise<Posture> {
  for (;;) {
    const posture = postureIn(await device.sync())
    const isSo = device.posture?.stands === posture.generation && posture.withdrawn.length === 0
    if (isSo || (posture.generation === 0 && posture.withdrawn.length === 0)) return posture
    take(device, posture)
    const again = postureIn(await device.sync())
    if (again.generation === posture.generation) stand(device, again)
  }
}
