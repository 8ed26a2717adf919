/** The meter, in the words of Prometheus. */
import { actionTypes, phases } from '@countermand/contract'
import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from 'prom-client'
import type { Alarm, Change, Store } from '../app/ports.ts'
import type { Meter } from '../app/telemetry.ts'
import { openActionCounts, type ReadCounts } from './action-counts.ts'
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

type Metrics = ReturnType<typeof metricsIn>

/** Nobody should have to look for a metric that has not happened yet, so what is known beforehand stands at 0. */
function metricsIn(registry: Registry) {
  const registers = [registry]
  const limits = new Counter({
    name: 'countermand_limits_hit_total',
    help: 'Calls that came to a limit, by class of the limit.',
    labelNames: ['class'],
    registers,
  })
  const syncs = new Counter({
    name: 'countermand_device_syncs_total',
    help: 'Statements of devices, by what became of them.',
    labelNames: ['result'],
    registers,
  })
  for (const result of ['taken', 'conflict', 'refused', 'failed']) syncs.inc({ result }, 0)
  return {
    limits,
    syncs,
    actions: new Gauge({
      name: 'countermand_actions',
      help: 'Actions in the database, by type and phase; the same on every server of one database.',
      labelNames: ['type', 'phase'],
      registers,
    }),
    storeUp: new Gauge({
      name: 'countermand_store_up',
      help: '1 when the database answered this scrape, else 0.',
      registers,
    }),
    cancels: new Histogram({
      name: 'countermand_cancel_duration_seconds',
      help: 'From the request to cancel until the end of the action, by how the cancel ended.',
      labelNames: ['outcome'],
      buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3_600, 86_400, 259_200],
      registers,
    }),
    devices: new Gauge({
      name: 'countermand_devices_connected',
      help: 'Devices that listen on an event stream of this server.',
      registers,
    }),
    depth: new Gauge({
      name: 'countermand_store_queue_depth',
      help: 'Work that was asked of the database and is not answered yet.',
      labelNames: ['work'],
      registers,
    }),
    alarms: new Counter({
      name: 'countermand_alarms_total',
      help: 'Events that somebody should look at, by kind.',
      labelNames: ['kind'],
      registers,
    }),
    requests: new Histogram({
      name: 'http_request_duration_seconds',
      help: 'Requests answered, by operation and status. Event streams of devices are left out.',
      labelNames: ['operation', 'status'],
      buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10],
      registers,
    }),
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
