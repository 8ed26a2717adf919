/** A collector of traces as OpenTelemetry has it: OTLP over HTTP, in JSON. It keeps what it is sent. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

export interface CollectedSpan {
  readonly traceId: string
  readonly spanId: string
  /** Empty for the first of a trace. */
  readonly parentSpanId: string
  readonly name: string
  /** 1 for internal, 2 for a server's. */
  readonly kind: number
  readonly startedAt: Date
  readonly endedAt: Date
  readonly attributes: Readonly<Record<string, string | number>>
  readonly service: string
}

export interface Collector {
  readonly url: string
  readonly spans: readonly CollectedSpan[]
  close(): Promise<void>
}

interface Attribute {
  readonly key: string
  readonly value: { readonly stringValue?: string; readonly intValue?: number | string }
}

interface Sent {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] }
    readonly scopeSpans: readonly { readonly spans: readonly SentSpan[] }[]
  }[]
}

interface SentSpan {
  readonly traceId: string
  readonly spanId: string
  readonly parentSpanId?: string
  readonly name: string
  readonly kind: number
  readonly startTimeUnixNano: string
  readonly endTimeUnixNano: string
  readonly attributes: readonly Attribute[]
}

export async function openCollector(): Promise<Collector> {
  const spans: CollectedSpan[] = []
  const http = createServer((request, response) => {
    void (async () => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const isOurs = request.url === '/v1/traces' && request.headers['content-type'] === 'application/json'
      if (isOurs) spans.push(...spansIn(JSON.parse(Buffer.concat(chunks).toString())))
      response.writeHead(isOurs ? 200 : 400, { 'content-type': 'application/json' }).end('{}')
    })()
  })
  await new Promise<void>((resolve) => http.listen(0, '127.0.0.1', resolve))
  const { port } = http.address() as AddressInfo
  const close = (): Promise<void> =>
    new Promise((resolve) => {
      http.close(() => resolve())
      http.closeAllConnections()
    })
  return { url: `http://127.0.0.1:${port}`, spans, close }
}

const spansIn = ({ resourceSpans }: Sent): CollectedSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) =>
    scopeSpans.flatMap(({ spans }) =>
      spans.map(({ startTimeUnixNano, endTimeUnixNano, parentSpanId = '', attributes, ...span }) => ({
        ...span,
        parentSpanId,
        startedAt: timeOf(startTimeUnixNano),
        endedAt: timeOf(endTimeUnixNano),
        attributes: wordsOf(attributes),
        service: String(wordsOf(resource.attributes)['service.name']),
      })),
    ),
  )

const timeOf = (nanoseconds: string): Date => new Date(Number(BigInt(nanoseconds) / 1_000_000n))

const wordsOf = (attributes: readonly Attribute[]): Record<string, string | number> =>
  Object.fromEntries(attributes.map(({ key, value }) => [key, value.stringValue ?? Number(value.intValue)]))
