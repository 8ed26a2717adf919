/** The meter, in the words of Prometheus. */
import { actionTypes, phases } from '@countermand/contract'
import { Registry, collectDefaultMetrics } from 'prom-client'
import type { Alarm, Change, Store } from '../app/ports.ts'
import type { Meter } from '../app/telemetry.ts'
import { openActionCounts, type ReadCounts } from './action-counts.ts'
import { metricsIn, type Metrics } from './families.ts'
import { watchStore, type Depth } from './watch-store.ts'

/** With what only the composition tells. */
export interface ComposedMeter extends Meter {
  /** The same store, counted; from then on the actions in it are, too. */
  watch(store: Store): Store
  committed(change: Pick<Change, 'alarms' | 'cancels'>): void
  alarmed(kind: Alarm['kind']): void
}

export function openMeter(now: () => Date): ComposedMeter {
  const registry = new Registry()
  const metrics = metricsIn(registry)
  const depth: Depth = { read: 0, write: 0 }
  const devices = new Map<string, number>()
  let countActions: ReadCounts | null = null
  const alarmed = (kind: string): void => metrics.alarms.inc({ kind })
  return {
    answered: ({ operation, status, tookMs }) =>
      metrics.requests.observe({ operation, status }, tookMs / 1_000),
    limited: (limit) => metrics.limits.inc({ class: limit }),
    synced: (result) => metrics.syncs.inc({ result }),
    connected: (machineId) => {
      devices.set(machineId, (devices.get(machineId) ?? 0) + 1)
      return () => {
        const left = (devices.get(machineId) ?? 1) - 1
        if (left === 0) devices.delete(machineId)
        else devices.set(machineId, left)
      }
    },
    watch: (store) => {
      countActions = openActionCounts(store, now)
      return watchStore(store, depth)
    },
    alarmed,
    committed: ({ alarms, cancels }) => {
      for (const { kind } of alarms) alarmed(kind)
      for (const { state, isEnd, tookMs } of cancels)
        if (isEnd) metrics.cancels.observe({ outcome: state }, tookMs / 1_000)
    },
    expose: async () => {
      metrics.devices.set(devices.size)
      metrics.depth.set({ work: 'read' }, depth.read)
      metrics.depth.set({ work: 'write' }, depth.write)
      await fillActions(metrics, countActions)
      const all = Registry.merge([registry, processRegistry()])
      return { contentType: all.contentType, text: await all.metrics() }
    },
  }
}

async function fillActions({ actions, storeUp }: Metrics, read: ReadCounts | null): Promise<void> {
  actions.reset()
  try {
    const counts = await read?.()
    storeUp.set(1)
    for (const type of actionTypes) for (const phase of phases) actions.set({ type, phase }, 0)
    for (const { type, phase, count } of counts ?? []) actions.set({ type, phase }, count)
  } catch {
    // What is not known is left out; the rest is wanted all the more then.
    storeUp.set(0)
  }
}

/** Of the process there is one, however many servers it holds. */
function processRegistry(): Registry {
  if (ofTheProcess === null) {
    ofTheProcess = new Registry()
    collectDefaultMetrics({ register: ofTheProcess })
  }
  return ofTheProcess
}

let ofTheProcess: Registry | null = null
