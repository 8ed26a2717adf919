/** The API described by itself: `/openapi.json`, and the same to read at `/reference`. Neither needs a token. */
import { createHash } from 'node:crypto'
import { operations } from '@countermand/contract'
import { printOpenApi } from '@countermand/contract/documents/openapi'
import type { FastifyInstance, FastifyRequest } from 'fastify'
import type { App } from '../../app/ports.ts'
import { refusalStatus } from '../../core/errors.ts'
import { printPage } from './page.ts'
import { style } from './style.ts'
import { baseOf } from '../base-url.ts'

export function mountReference(server: FastifyInstance, app: App): void {
  const print = (request: FastifyRequest) =>
    printOpenApi({
      operations,
      errors: refusalStatus,
      server: baseOf(request),
      tenantId: app.identity.tenantId,
    })
  server.get('/openapi.json', (request, reply) =>
    reply.header('cache-control', 'no-cache').send(print(request)),
  )
  server.get('/reference', (request, reply) =>
    reply
      .headers({
        'content-security-policy': policy,
        'cache-control': 'no-cache',
      })
      .type('text/html; charset=utf-8')
      .send(printPage(print(request))),
  )
}

/** The page brings all that it needs: one style sheet, named by its hash, and no script. */
const policy = [
  "default-src 'none'",
  `style-src 'sha256-${createHash('sha256').update(style).digest('base64')}'`,
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ')
