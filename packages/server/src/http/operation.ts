/** Mounts rows of the contract on their handlers; the order of the checks stands in `index.ts`. */
import type { BodyOf, Operation, Operations, ParamsOf, ReplyOf, Target } from '@countermand/contract'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { findApplication } from '../app/administer-applications.ts'
import { findEnrolmentToken } from '../app/enrolment-tokens.ts'
import { findLibraryFile } from '../app/files/library-files.ts'
import type { App } from '../app/ports.ts'
import type { EnrolmentRow, LibraryEntry } from '../app/rows.ts'
import { findAction } from '../app/actions/read-action.ts'
import { findDevice, findDeviceNamed } from '../app/read-device.ts'
import type { Action } from '../core/action-shape.ts'
import type { Application } from '../core/application.ts'
import type { Device } from '../core/device.ts'
import type { Caller } from '../core/permission.ts'
import type { Refusal } from '../core/errors.ts'
import { baseOf } from './base-url.ts'
import { readBody } from './body.ts'
import { answer, asRefusal } from './errors.ts'

interface Targets {
  readonly none: undefined
  readonly machineAction: Action
  readonly machineActionId: undefined
  readonly machine: Device
  readonly machineOrName: Device
  readonly libraryFile: LibraryEntry
  readonly application: Application
  readonly enrolmentToken: EnrolmentRow
}

/** What a handler is given: everything has been checked by then. */
export interface Call<Row extends Operation> {
  readonly app: App
  readonly caller: Caller
  readonly params: Readonly<Record<ParamsOf<Row['path']>, string>>
  readonly query: URLSearchParams
  readonly body: BodyOf<Row>
  /** What the path names, found. */
  readonly target: Targets[Row['target']]
  /** Scheme and host that were asked: `https://host`. */
  readonly base: string
  /** For the few that read a form, or a header of their own. */
  readonly request: FastifyRequest
  /** For the one that answers bit by bit. */
  readonly reply: FastifyReply
}

export type Handlers<Rows extends Operations> = {
  readonly [Name in keyof Rows]: (call: Call<Rows[Name]>) => Promise<ReplyOf<Rows[Name]>>
}

/** What a request carries from check to check. */
export interface Checked {
  caller: Caller
  target: Targets[Target]
  /** Permission and limit have been checked. */
  isAllowed: boolean
}

declare module 'fastify' {
  interface FastifyRequest {
    checked: Checked
  }
}

/** What the path's placeholders stood for. */
export const paramsOf = ({ params }: FastifyRequest): Readonly<Record<string, string>> =>
  typeof params === 'object' && params !== null ? { ...params } : {}

function queryOf({ url }: FastifyRequest): URLSearchParams {
  const mark = url.indexOf('?')
  return new URLSearchParams(mark === -1 ? '' : url.slice(mark + 1))
}

/** The bytes of a body; none where there was none. */
export const bytesOf = (request: FastifyRequest): Buffer =>
  Buffer.isBuffer(request.body) ? request.body : Buffer.alloc(0)

/** What of a row the checks look at; `name` is its own, as in the contract. */
export type Guarded = Pick<Operation, 'permission' | 'permissionToo' | 'limit' | 'target'> & {
  readonly name: string
}

export type Check = (row: Guarded, request: FastifyRequest, reply: FastifyReply) => Promise<void>

export function mount<Rows extends Operations>(
  server: FastifyInstance,
  parts: { readonly app: App; readonly checks: readonly Check[] },
  rows: Rows,
  handlers: Handlers<Rows>,
): void {
  for (const [name, row] of Object.entries(rows)) {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- `Handlers` has paired them: this row's call fits this row's handler.
    const handle = handlers[name] as (call: unknown) => Promise<unknown>
    const named = { ...row, name }
    server.route({
      method: row.method,
      url: routePath(row.path),
      config: { operation: name },
      ...(row.bodyLimit !== undefined && { bodyLimit: row.bodyLimit }),
      // Before the body is read: who may not ask, or asks for nothing that is, need not be listened to.
      onRequest: async (request, reply) => {
        for (const check of parts.checks) await check(named, request, reply)
      },
      // What is not there is 404 whatever was sent, also where nobody had looked yet.
      errorHandler: (thrown, request, reply) => {
        const missing =
          row.target === 'machineActionId' ? whyMissing(parts.app, request) : Promise.resolve(null)
        void missing.then((refusal) => answer(refusal ?? asRefusal(thrown), thrown, request, reply))
      },
      handler: async (request, reply) => {
        const body = row.body === undefined ? undefined : readBody(row.body, bytesOf(request))
        const { caller, target } = request.checked
        const query = queryOf(request)
        const call = {
          app: parts.app,
          caller,
          params: paramsOf(request),
          query,
          body,
          target,
          base: baseOf(request),
          request,
          reply,
        }
        const told = await handle(call)
        if (reply.sent) return reply
        if (typeof told === 'number') return reply.code(row.status).type('text/plain').send(String(told))
        if (row.media !== undefined) return reply.code(row.status).type(row.media).send(told)
        return reply.code(row.status).send(row.status === 204 ? undefined : told)
      },
    })
  }
}

/**
 * A function in a path, `f(index=:index)` or `f(:arguments)`, as the router writes it: the placeholder needs a pattern, or it would
 * eat the bracket.
 */
const routePath = (path: string): string =>
  path.replace(/\(index=:(\w+)\)$/, '(index=:$1(^\\d+))').replace(/\(:(\w+)\)$/, '(:$1(^.+))')

/** Only who may ask learns what is there: an error that came before the caller was known stays what it was. */
async function whyMissing(app: App, request: FastifyRequest): Promise<Refusal | null> {
  if (!request.checked?.isAllowed) return null
  return findAction(app, paramsOf(request).id?.toLowerCase() ?? '').then(() => null, asRefusal)
}

/** Finds what the path names. @throws Refusal ResourceNotFound */
export const findTarget =
  (app: App): Check =>
  async (row, request) => {
    const { id = '', fileName = '', clientId = '' } = paramsOf(request)
    switch (row.target) {
      case 'none':
      case 'machineActionId':
        return
      case 'machineAction':
        request.checked.target = await findAction(app, id.toLowerCase())
        return
      case 'machine':
        request.checked.target = await findDevice(app, id)
        return
      case 'machineOrName':
        request.checked.target = await findDeviceNamed(app, id)
        return
      case 'libraryFile':
        request.checked.target = await findLibraryFile(app, fileName)
        return
      case 'application':
        request.checked.target = await findApplication(app, clientId)
        return
      case 'enrolmentToken':
        request.checked.target = await findEnrolmentToken(app, id)
        return
    }
  }
