/** One trace from the call that cancels to the device's proof, as a collector receives it. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { openCollector, type Collector, type CollectedSpan } from '../testing/collector.ts'
import { onEachDatabase } from '../testing/databases.ts'
import { broughtTo, queued } from '../testing/given.ts'
import { impatient, openServer, start, unlimited, type TestServer } from '../testing/server.ts'
import { Copy } from '../verify/testing/copies.ts'

const caller = { trace: '0af7651916cd43dd8448eb211c80319c', span: 'b7ad6b7169203331' }
const traceparent = `00-${caller.trace}-${caller.span}-01`

async function cancelTraced(
  server: TestServer,
  id: string,
  header: string | null = traceparent,
): Promise<string> {
  const token = await server.token('Machine.Isolate')
  const headers = header === null ? {} : { traceparent: header }
  const path = `/api/machineactions/${id}/cancel`
  const answer = await server.ask({ method: 'POST', path, token, headers, body: { Comment: 'wrong host' } })
  assert.equal(answer.status, 200, answer.text)
  return String(answer.headers['request-id'])
}

const after = (seconds: number): Date => new Date(start.getTime() + seconds * 1_000)
const named = (spans: readonly CollectedSpan[], name: string): CollectedSpan => {
  const found = spans.filter((span) => span.name === name)
  assert.equal(found.length, 1, `one span "${name}" among: ${spans.map((span) => span.name).join(', ')}`)
  return found[0] as CollectedSpan
}
const ofTrace = ({ spans }: Collector, traceId = caller.trace): readonly CollectedSpan[] =>
  spans.filter((span) => span.traceId === traceId)

/** The rules asked again: the trace is part of what they know of a request. */
async function findsNothing(server: TestServer): Promise<void> {
  const copy = new Copy(server)
  try {
    assert.deepEqual(await copy.found(), [])
  } finally {
    copy.close()
  }
}

onEachDatabase((database) => {
  describe(`a cancel on ${database.name}`, () => {
    test('is one trace, of the caller’s, from the call over the sync that carried it to the proof', async () => {
      const collector = await openCollector()
      const databaseUrl = await database.fresh()
      const flags = [...unlimited, ...impatient, '--otlp-endpoint', collector.url]
      let server = await openServer({ databaseUrl, flags })
      await server.upload('run.sh')
      const { id, device } = await broughtTo('running')(server)
      const requestId = await cancelTraced(server, id)
      server.clock.pass(1_000)
      await device.sync()
      server.clock.pass(2_000)
      // Whatever the server remembers: the trace is kept with the request.
      server = await server.restart()
      device.stop(id)
      const { jws } = await device.say()
      const { status } = await server.ask({ method: 'POST', path: '/device/sync', body: jws })
      assert.equal(status, 200)
      if (databaseUrl === null) await findsNothing(server)
      await server.close()
      await collector.close()

      const spans = ofTrace(collector)
      assert.deepEqual(spans.map(({ name }) => name).toSorted(), [
        'POST /api/machineactions/:id/cancel',
        'action ran on device',
        'cancel confirmed',
        'cancel requested',
        'cancel sent',
        'store requestCancel',
      ])
      const call = named(spans, 'POST /api/machineactions/:id/cancel')
      assert.equal(call.parentSpanId, caller.span)
      assert.deepEqual([call.kind, call.service], [2, 'countermand'])
      assert.equal(call.attributes['http.response.status_code'], 200)
      assert.equal(call.attributes['countermand.operation'], 'cancelMachineAction')
      assert.equal(call.attributes['countermand.request.id'], requestId)
      for (const span of spans.filter((one) => one !== call))
        assert.equal(span.parentSpanId, call.spanId, span.name)

      const sent = named(spans, 'cancel sent')
      assert.deepEqual([sent.startedAt, sent.endedAt], [start, after(1)])
      assert.equal(sent.attributes['countermand.device.id'], device.machineId)
      const proof = named(spans, 'cancel confirmed')
      assert.deepEqual([proof.startedAt, proof.endedAt], [start, after(3)])
      assert.equal(proof.attributes['countermand.action.id'], id)
      assert.equal(proof.attributes['countermand.proof'], 'stopped')
      const ran = named(spans, 'action ran on device')
      // As the device has signed it.
      assert.deepEqual(
        [ran.startedAt, ran.endedAt].map((at) => at.toISOString()),
        ['2026-02-03T04:06:10.420Z', '2026-02-03T04:06:21.800Z'],
      )
    })
  })
})

describe('a call', () => {
  /** The spans that a cancel with this header leaves. */
  async function traced(header: string | null): Promise<readonly CollectedSpan[]> {
    const collector = await openCollector()
    const server = await openServer({ flags: [...unlimited, ...impatient, '--otlp-endpoint', collector.url] })
    await server.upload('run.sh')
    await cancelTraced(server, (await queued(server)).id, header)
    await server.close()
    await collector.close()
    const call = named(collector.spans, 'POST /api/machineactions/:id/cancel')
    assert.equal(header === null || call.traceId !== caller.trace || header.includes(caller.trace), true)
    return ofTrace(collector, call.traceId)
  }

  test.each([
    null,
    'nonsense',
    `00-${'0'.repeat(32)}-${caller.span}-01`,
    `00-${caller.trace}-${'0'.repeat(16)}-01`,
    `ff-${caller.trace}-${caller.span}-01`,
    `00-${caller.trace.toUpperCase()}-${caller.span}-01`,
    `00-${caller.trace}-${caller.span}-01-more`,
  ])('without a trace that can be gone on with begins one: %s', async (header) => {
    const spans = await traced(header)
    assert.deepEqual(spans.map(({ name }) => name).toSorted(), [
      'POST /api/machineactions/:id/cancel',
      'cancel confirmed',
      'store requestCancel',
    ])
    assert.equal(named(spans, 'POST /api/machineactions/:id/cancel').parentSpanId, '')
  })

  test('of a caller who does not want it traced is not', async () => {
    const collector = await openCollector()
    const server = await openServer({ flags: [...unlimited, ...impatient, '--otlp-endpoint', collector.url] })
    await server.upload('run.sh')
    await cancelTraced(server, (await queued(server)).id, traceparent.replace(/01$/, '00'))
    await server.close()
    await collector.close()
    assert.deepEqual(ofTrace(collector), [])
  })

  test('is answered while no collector is there, and the log says so', async () => {
    const lines: string[] = []
    const collector = await openCollector()
    await collector.close()
    const server = await openServer({
      flags: [...unlimited, ...impatient, '--otlp-endpoint', collector.url],
      logTo: { write: (line) => void lines.push(line) },
    })
    await server.upload('run.sh')
    await cancelTraced(server, (await queued(server)).id)
    await server.close()
    assert.ok(lines.some((line) => line.includes('the collector did not take traces')))
  })

  test('leaves nothing of a trace in the history where nobody traces', async () => {
    const server = await openServer()
    await server.upload('run.sh')
    const { id } = await queued(server)
    await cancelTraced(server, id)
    const [event] = server.history.ofAction(id).filter(({ kind }) => kind === 'action.cancel_requested')
    assert.deepEqual(Object.keys(event?.data ?? {}).toSorted(), ['by', 'comment', 'reason'])
    await server.close()
  })
})
