/** Traces by OpenTelemetry. Loaded only where an endpoint is configured: it costs memory, and a while at the start. */
import {
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  isSpanContextValid,
  trace,
  type Context,
} from '@opentelemetry/api'
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http'
import { detectResources, envDetector, resourceFromAttributes } from '@opentelemetry/resources'
import { BatchSpanProcessor, TracerProvider, type SpanExporter } from '@opentelemetry/sdk-trace'
import type { Change } from '../app/ports.ts'
import type { Tracer } from '../app/telemetry.ts'
import type { TracedStep } from '../core/cancel-step.ts'

/** With what only the composition tells. */
export interface ComposedTracer extends Tracer {
  committed(change: Pick<Change, 'cancels'>): void
  /** Sends what has not been sent yet. */
  close(): Promise<void>
}

/** For one batch, with all tries: so long a stop waits for a collector that is away. */
const timeoutMillis = 2_000

/** `endpoint`: base URL of a collector that speaks OTLP over HTTP. `failed` hears of spans that it did not take. */
export function openTracer(endpoint: string, failed: (reason: unknown) => void): ComposedTracer {
  const exporter = heard(new OTLPTraceExporter({ url: `${endpoint}/v1/traces`, timeoutMillis }), failed)
  const resource = resourceFromAttributes({ 'service.name': 'countermand' })
  const provider = new TracerProvider({
    // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, as everywhere.
    resource: resource.merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter })],
  })
  const tracer = provider.getTracer('countermand')
  const tell = (state: string, step: TracedStep): void => {
    const below = contextOf(step.trace)
    const [startTime, endTime] = [new Date(step.requestedAt), new Date(step.at)]
    const attributes = attributesOf(state, step)
    tracer.startSpan(`cancel ${state}`, { startTime, attributes }, below).end(endTime)
    if (step.ran === null) return
    const ran = { startTime: new Date(step.ran.startedAt), attributes }
    tracer.startSpan('action ran on device', ran, below).end(new Date(step.ran.endedAt))
  }
  return {
    start: (kind, name, parent) => {
      const span = tracer.startSpan(name, { kind: kinds[kind] }, contextOf(parent))
      const { traceId, spanId, traceFlags } = span.spanContext()
      return {
        traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
        end: (more, isFault = false) => {
          span.setAttributes(more)
          if (isFault) span.setStatus({ code: SpanStatusCode.ERROR })
          span.end()
        },
      }
    },
    committed: ({ cancels }) => {
      for (const { state, traced } of cancels) if (traced !== null) tell(state, traced)
    },
    // What cannot be sent now is lost; a server that stops has waited long enough.
    close: () => provider.shutdown().catch(failed),
  }
}

const kinds = { server: SpanKind.SERVER, internal: SpanKind.INTERNAL } as const

function attributesOf(state: string, { actionId, deviceId, proof, statement }: TracedStep) {
  return {
    'countermand.action.id': actionId,
    'countermand.device.id': deviceId,
    'countermand.cancel.state': state,
    ...(proof !== null && { 'countermand.proof': proof }),
    ...(statement !== null && { 'countermand.statement.seq': statement }),
  }
}

/** W3C Trace Context 3.2 and 4: version 00 has these fields and no others, a later one may have more. */
const traceparent = /^(?!ff)([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?$/

/** Who calls may write anything: what is no traceparent begins a trace of its own. */
function contextOf(parent: string | null): Context {
  const [, version, traceId = '', spanId = '', flags = '', more] = traceparent.exec(parent ?? '') ?? []
  const traceFlags = Number.parseInt(flags, 16) & TraceFlags.SAMPLED
  const remote = { traceId, spanId, traceFlags, isRemote: true }
  const isOne = isSpanContextValid(remote) && (version !== '00' || more === undefined)
  return isOne ? trace.setSpanContext(ROOT_CONTEXT, remote) : ROOT_CONTEXT
}

/** The SDK keeps to itself what was not taken. */
function heard(exporter: SpanExporter, failed: (reason: unknown) => void): SpanExporter {
  return {
    export: (spans, done) =>
      exporter.export(spans, (result) => {
        if (result.error !== undefined) failed(result.error)
        done(result)
      }),
    shutdown: () => exporter.shutdown(),
    forceFlush: () => exporter.forceFlush?.() ?? Promise.resolve(),
  }
}
