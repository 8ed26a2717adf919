/** An offboarding of a host that is isolated, step by step, with its clock and its server in the test's hands. */
import assert from 'node:assert/strict'
import { join } from 'node:path'
import type { News, Offer, Posture as Document } from '@countermand/contract'
import { barrierOf } from '../posture/isolation.ts'
import { Machine, inFolder, newId, until } from './fakes.ts'
import { openParts, type Parts, type PartsOptions } from './parts.ts'
import { full } from './posture.ts'

export const offboarding = (id: string, runLimitMs = 300_000): Offer => ({
  id,
  type: 'Offboard',
  parameters: { offboard: true },
  runLimitMs,
})
export const kernelOf = (document: Document) => barrierOf(document, 'https://server.example')

export interface Trial {
  readonly folder: string
  readonly machine: Machine
  readonly parts: Parts
  readonly id: string
  /** By which the host stands. */
  readonly document: Document
}

/** The host is isolated, confirmed. */
export async function isolated({ machine, parts }: Pick<Trial, 'machine' | 'parts'>): Promise<Document> {
  const document = full(1)
  await parts.order({ postures: { isolation: document } })
  machine.seconds += 1
  await parts.order({ postures: { isolation: document } })
  assert.deepEqual(machine.firewall.kernel, kernelOf(document))
  return document
}

export const withTrial = (run: (trial: Trial) => Promise<void>, options: PartsOptions = {}): Promise<void> =>
  inFolder(async (folder) => {
    const machine = new Machine()
    const parts = await openParts(folder, machine, options)
    const document = await isolated({ machine, parts })
    try {
      await run({ folder, machine, parts, id: newId(), document })
    } finally {
      await parts.posture.close()
      await parts.runner.shutdown()
    }
  })

/** Of the statement that an order answers: sent before what stood was taken off, so that it is no leave to commit. */
export const aSecondAgo = 1

/** Ordered, and waiting for leave. */
export async function waiting(trial: Trial): Promise<void> {
  const { machine, parts, id } = trial
  await parts.order({ offers: [offboarding(id)], postures: { isolation: trial.document } }, aSecondAgo)
  await until('what stands to be off', () => machine.firewall.kernel === null)
}

export const shortOf = (items: readonly News[]): readonly string[] =>
  items.map((item) => (item.kind === 'finished' ? `${item.kind} ${item.outcome}` : item.kind))
export const told = ({ parts, id }: Trial): readonly string[] => shortOf(parts.told(id))
export const over = ({ parts }: Pick<Trial, 'parts'>, isRefused = false) =>
  parts.departure.over(parts, isRefused)
export const fileOf = ({ folder }: Trial): string => join(folder, 'posture-isolation.json')

export async function assertStands({ machine, parts, document }: Trial): Promise<void> {
  assert.deepEqual(machine.firewall.kernel, kernelOf(document))
  const { action, type } = document
  assert.deepEqual(parts.posture.report(), { taken: 1, stands: 1, action, type })
  assert.equal(await over({ parts }, true), null)
}
