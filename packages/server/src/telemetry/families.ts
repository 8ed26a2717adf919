/** What is counted and measured, with the words in which it is told. */
import { Counter, Gauge, Histogram, type Registry } from 'prom-client'

export type Metrics = ReturnType<typeof metricsIn>

/** Nobody should have to look for what has not happened yet: what is known beforehand stands at 0. */
export function metricsIn(registry: Registry) {
  const counters = countersIn([registry])
  for (const result of ['taken', 'conflict', 'refused', 'failed']) counters.syncs.inc({ result }, 0)
  return { ...counters, ...gaugesIn([registry]), ...histogramsIn([registry]) }
}

const countersIn = (registers: Registry[]) => ({
  limits: new Counter({
    name: 'countermand_limits_hit_total',
    help: 'Calls that came to a limit, by class of the limit.',
    labelNames: ['class'],
    registers,
  }),
  syncs: new Counter({
    name: 'countermand_device_syncs_total',
    help: 'Statements of devices, by what became of them.',
    labelNames: ['result'],
    registers,
  }),
  alarms: new Counter({
    name: 'countermand_alarms_total',
    help: 'Events that somebody should look at, by kind.',
    labelNames: ['kind'],
    registers,
  }),
})

const gaugesIn = (registers: Registry[]) => ({
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
})

const histogramsIn = (registers: Registry[]) => ({
  cancels: new Histogram({
    name: 'countermand_cancel_duration_seconds',
    help: 'From the request to cancel until the end of the action, by how the cancel ended.',
    labelNames: ['outcome'],
    buckets: [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 3_600, 86_400, 259_200],
    registers,
  }),
  requests: new Histogram({
    name: 'http_request_duration_seconds',
    help: 'Requests answered, by operation and status. Event streams are left out.',
    labelNames: ['operation', 'status'],
    buckets: [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 5, 10],
    registers,
  }),
})
