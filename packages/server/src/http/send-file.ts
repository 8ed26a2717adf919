import { Readable } from 'node:stream'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { Range, ShelvedFile } from '../app/ports.ts'
import { Refusal } from '../core/errors.ts'

/** A file under a hash never changes, so the hash is its validator. */
type Sent = ShelvedFile & { readonly sha256: string }

/** Sends a file, or the one range of it that was asked for (RFC 9110, 14). @throws Refusal InvalidRange */
export function sendFile(
  request: FastifyRequest,
  reply: FastifyReply,
  { size, sha256, read }: Sent,
): FastifyReply {
  const etag = `"${sha256}"`
  void reply.header('accept-ranges', 'bytes').header('etag', etag)
  const { range: asked, 'if-range': ifRange = etag } = request.headers
  const range = ifRange === etag ? rangeOf(asked) : null
  if (range === null) return reply.header('content-length', size).send(Readable.from(read()))
  if (range.start >= size) {
    void reply.header('content-range', `bytes */${size}`)
    throw new Refusal('InvalidRange', `The file has ${size} bytes; none of them is in the range.`)
  }
  const { start } = range
  const end = Math.min(range.end, size - 1)
  return reply
    .code(206)
    .header('content-range', `bytes ${start}-${end}/${size}`)
    .header('content-length', end - start + 1)
    .send(Readable.from(read({ start, end })))
}

/** `bytes=N-` or `bytes=N-M`. A server may send the whole instead, and for any other form this one does. */
function rangeOf(text: string | undefined): Range | null {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/i.exec(text ?? '') ?? []
  if (from === undefined) return null
  const range = { start: Number(from), end: to === '' ? Infinity : Number(to) }
  return range.end < range.start ? null : range
}
