import { commandsOf, type MachineAction, type Phase } from '@countermand/contract'
import type { Action } from '../../core/action-shape.ts'
import type { App } from '../ports.ts'

/** As it is shown. */
export type Shown = NonNullable<MachineAction['countermand']['progress']>

const moving: readonly Phase[] = ['running', 'settling']

/**
 * How far these actions are, by their ids, as their devices last said; of those that do not run, nothing, and nobody is asked.
 * It is not part of an action: it is shown while it lasts, and kept nowhere else.
 */
export async function readProgress(
  app: App,
  actions: readonly Action[],
): Promise<ReadonlyMap<string, Shown>> {
  const running = actions.filter(({ phase }) => moving.includes(phase))
  if (running.length === 0) return new Map()
  const said = await app.store.read('progressOf', [...new Set(running.map(({ machineId }) => machineId))])
  const shown = running.flatMap(({ id, machineId, parameters }): (readonly [string, Shown])[] => {
    const steps = Math.max(1, commandsOf(parameters).length)
    const found = said.get(machineId)?.find(({ action, step }) => action === id && step < steps)
    return found === undefined
      ? []
      : [[id, { step: found.step, steps, share: found.share, line: found.line }]]
  })
  return new Map(shown)
}
