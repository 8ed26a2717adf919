/** What every answer says to browsers, which nobody has reason to use here: take nothing for what it is not, tell nobody, frame nothing. */
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { baseOf } from '../base-url.ts'

/** Whatever is answered. */
export const everyAnswer: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
}

/** Where the answer says nothing else: it is for the asker alone, and nothing in it is run, even where it is shown as a page. */
export const onlyOurs: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'; sandbox",
}

const every = Object.entries(everyAnswer)
const ours = Object.entries(onlyOurs)

/** A year; RFC 6797 lets it be said over TLS only. */
const strictTransport = 'max-age=31536000'

export function guardAnswers(server: FastifyInstance): void {
  server.addHook('onSend', (request, reply, _payload, done) => {
    guardAnswer(request, reply)
    done()
  })
}

export function guardAnswer(request: FastifyRequest, reply: FastifyReply): void {
  for (const [name, value] of every) void reply.header(name, value)
  for (const [name, value] of ours) if (!reply.hasHeader(name)) void reply.header(name, value)
  if (baseOf(request).startsWith('https:')) void reply.header('strict-transport-security', strictTransport)
}
