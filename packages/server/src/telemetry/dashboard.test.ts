/** What the dashboard and the alerts ask for is what a server says. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { enrol } from '../testing/device.ts'
import { broughtTo, cancel } from '../testing/given.ts'
import { scrape, type Sample } from '../testing/metrics.ts'
import { openServer, type TestServer } from '../testing/server.ts'

const read = (name: string): string =>
  readFileSync(new URL(`../../../../docs/${name}`, import.meta.url), 'utf8')

interface Dashboard {
  readonly panels: readonly {
    readonly title: string
    readonly datasource: { readonly uid: string }
    readonly targets: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[]
  }[]
  readonly templating: { readonly list: readonly { readonly name: string; readonly type: string }[] }
}
const dashboard: Dashboard = JSON.parse(read('grafana/countermand.json'))
const asked = dashboard.panels.flatMap(({ title, targets }) =>
  targets.map(({ expr }) => [title, expr] as const),
)
const alerts = [...read('watching.md').matchAll(/^ +expr: (.+)$/gm)].map(([, expr = '']) => expr)

const metricsIn = (expr: string): readonly string[] =>
  expr.match(/\b(?:countermand|http|process|nodejs)_\w+/g) ?? []
/** Labels that are chosen by, and grouped by; `instance` and `job` come from Prometheus. */
const labelsIn = (expr: string): readonly string[] =>
  [
    ...[...expr.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) => list.split(/,\s*/)),
    ...[...expr.matchAll(/[{,]\s*(\w+)\s*(?:=|!)/g)].map(([, label = '']) => label),
  ].filter((label) => label !== 'instance' && label !== 'job')

let server: TestServer
let samples: readonly Sample[]
beforeAll(async () => {
  server = await openServer({ flags: ['--settle-ms', '0', '--limits', 'library=1/1'] })
  await server.upload('run.sh')
  const upload = server.upload('again.sh').catch((thrown: unknown) => String(thrown))
  assert.match(String(await upload), /429/)
  const { id, device } = await broughtTo('running')(server)
  await cancel(server, id)
  device.stop(id)
  await device.sync()
  const copied = await enrol(server)
  await copied.sync()
  const copy = copied.copy()
  await copied.sync()
  assert.equal((await copy.send(await copy.say())).status, 409)
  samples = await scrape(server)
})
afterAll(() => server.close())

describe.each([...asked, ...alerts.map((expr) => ['an alert', expr] as const)])('%s: %s', (_title, expr) => {
  test('asks for metrics that there are, by labels that they have', () => {
    const names = metricsIn(expr)
    assert.ok(names.length > 0, 'it asks for something')
    for (const name of names) {
      const found = samples.filter((sample) => sample.name === name)
      assert.ok(found.length > 0, `${name} is not said`)
      for (const label of labelsIn(expr))
        assert.ok(
          found.some(({ labels }) => Object.hasOwn(labels, label)),
          `${name} has no label ${label}`,
        )
    }
  })
})

test('there are alerts', () => assert.ok(alerts.length >= 3))

test.each([
  'countermand_actions',
  'countermand_cancel_duration_seconds_bucket',
  'countermand_devices_connected',
  'countermand_device_syncs_total',
  'countermand_store_queue_depth',
  'countermand_limits_hit_total',
  'countermand_alarms_total',
])('%s is on a panel', (name) => {
  assert.ok(asked.some(([, expr]) => metricsIn(expr).includes(name)))
})

const by = (metric: string, label: string): boolean =>
  asked.some(([, expr]) => metricsIn(expr).includes(metric) && labelsIn(expr).includes(label))

test('actions are shown by type and by phase, cancels by outcome', () => {
  assert.ok(by('countermand_actions', 'type') && by('countermand_actions', 'phase'))
  assert.ok(by('countermand_cancel_duration_seconds_bucket', 'outcome'))
})

test('every panel takes its figures from the data source that is chosen', () => {
  assert.ok(
    dashboard.templating.list.some(({ name, type }) => name === 'datasource' && type === 'datasource'),
  )
  const uids = dashboard.panels.flatMap(({ datasource, targets }) => [
    datasource.uid,
    ...targets.map((target) => target.datasource.uid),
  ])
  assert.deepEqual([...new Set(uids)], ['${datasource}'])
})

test('every metric of ours is explained in docs/watching.md', () => {
  const text = read('watching.md')
  const families = new Set(samples.map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')))
  const ours = [...families].filter((name) => /^(countermand|http)_/.test(name))
  assert.deepEqual(
    ours.filter((name) => !text.includes(`\`${name}\``)),
    [],
  )
})
