/** One part of an upload out of a request: what its headers say, and its bytes as they come. */
import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'
import type { SentPart } from '../../app/files/transfer-files.ts'
import { Refusal } from '../../core/errors.ts'

/** A connection that is gone without a word would hold its upload for ever. */
const longestSilenceMs = 30_000

/** @throws Refusal InvalidInput for a header that is missing or malformed */
export function partIn({ headers, raw }: FastifyRequest): SentPart {
  const read = (name: string, form: RegExp, like: string): string => {
    const text = headers[name.toLowerCase()]
    const [, value] = form.exec(typeof text === 'string' ? text : '') ?? []
    if (value === undefined)
      throw new Refusal(
        'InvalidInput',
        `The header ${name} must be like ${like}; it is ${String(text ?? 'missing')}.`,
      )
    return value
  }
  const digest = (name: string): string =>
    Buffer.from(read(name, sha256, 'sha-256=:BASE64:'), 'base64').toString('hex')
  const offset = Number(read('Upload-Offset', /^(\d{1,15})$/, '8388608'))
  const isLast = read('Upload-Complete', /^(\?[01])$/, '?0 or ?1') === '?1'
  return {
    offset,
    sha256: digest('Content-Digest'),
    whole: isLast ? digest('Repr-Digest') : null,
    content: unlessSilent(raw),
  }
}

/** Among others that the sender may have added. */
const sha256 = /(?:^|,)\s*sha-256=:([A-Za-z0-9+/]{43}=):\s*(?:,|$)/

async function* unlessSilent(body: IncomingMessage): AsyncGenerator<Uint8Array> {
  const silence = setTimeout(() => body.destroy(new Error('silence')), longestSilenceMs)
  try {
    // To end the body would end the connection, and with it the answer that says why.
    for await (const chunk of body.iterator({ destroyOnReturn: false })) {
      yield chunk
      silence.refresh()
    }
  } catch {
    throw new Refusal('BadRequest', 'The connection broke in the midst of the part; nothing of it was kept.')
  } finally {
    clearTimeout(silence)
  }
}
