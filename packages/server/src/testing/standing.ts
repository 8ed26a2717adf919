/** How a device comes to stand as it was told (`docs/protocol.md`), each step when a test wants it; isolated, where no aspect is named. */
import assert from 'node:assert/strict'
import type { Aspect, Posture, PostureReport, Reply } from '@countermand/contract'
import { outcome, type TestDevice } from './device.ts'

export function postureIn(reply: Reply, aspect: Aspect = 'isolation'): Posture {
  const posture = reply.postures[aspect]
  assert.ok(posture, 'the reply says how to stand')
  return posture
}

export function reportOf({ postures }: TestDevice, aspect: Aspect = 'isolation'): PostureReport {
  const said = postures?.[aspect]
  assert.ok(said, 'the device says how it stands')
  return said
}

export function report(device: TestDevice, said: Partial<PostureReport>, aspect: Aspect = 'isolation'): void {
  device.postures = { ...device.postures, [aspect]: { ...reportOf(device, aspect), ...said } }
}

/** The document is on the device's disk: it works on it from now on. */
export function take(
  device: TestDevice,
  { generation, action, withdrawn }: Posture,
  aspect: Aspect = 'isolation',
): void {
  report(device, { taken: generation }, aspect)
  if (action !== null && action !== reportOf(device, aspect).action)
    device.tell({ kind: 'started', action, commands: [outcome('Created')] })
  for (const id of withdrawn) device.tell({ kind: 'cancel_acknowledged', action: id })
}

/** It stands, was read back, and, where it isolates, an exchange after that was answered. */
export function stand(
  device: TestDevice,
  { generation, action, type, withdrawn }: Posture,
  aspect: Aspect = 'isolation',
): void {
  report(device, { taken: generation, stands: generation, action, type }, aspect)
  const commands = [outcome('Completed')]
  if (action !== null) device.tell({ kind: 'finished', action, outcome: 'succeeded', detail: null, commands })
  for (const id of withdrawn) device.tell({ kind: 'reverted', action: id, commands: [] })
}

/** It was tried, and the device stands as before. */
export function fail(device: TestDevice, { action }: Posture, detail: string): void {
  assert.ok(action)
  const commands = [outcome('Created')]
  device.tell({ kind: 'finished', action, outcome: 'failed', detail, commands })
}

/** Whole exchanges, until the device stands as it was told last. */
export async function settle(device: TestDevice, aspect: Aspect = 'isolation'): Promise<Posture> {
  for (;;) {
    const posture = postureIn(await device.sync(), aspect)
    const isSo = reportOf(device, aspect).stands === posture.generation && posture.withdrawn.length === 0
    if (isSo || (posture.generation === 0 && posture.withdrawn.length === 0)) return posture
    take(device, posture, aspect)
    const again = postureIn(await device.sync(), aspect)
    if (again.generation === posture.generation) stand(device, again, aspect)
  }
}
