/** What a new action is asked with, beside its own fields: who asks, and what is ours (`contract/src/inputs.ts`). */
import type { ActionInputs, CancelInputs } from '@countermand/contract'
import type { FastifyRequest } from 'fastify'
import type { CancelWish } from '../app/actions/cancel-action.ts'
import type { ActionRequest } from '../app/actions/request-action.ts'
import type { Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import type { Caller } from '../core/permission.ts'
import { readTime } from './function-path.ts'

interface Asking {
  readonly caller: Caller
  readonly target: Device
  readonly request: FastifyRequest
  readonly body: {
    readonly Comment?: string
    readonly ExternalId?: string
    readonly countermand?: ActionInputs
  }
}

/** @throws Refusal InvalidInput for a key or a time that is none */
export function readActionRequest({ caller, target, request, body }: Asking): ActionRequest {
  const { Comment: comment = null, ExternalId: externalId = null, countermand = {} } = body
  const { notBefore, notAfter, whenOffline = 'queue', runLimitSeconds } = countermand
  return {
    machineId: target.id,
    caller: caller.id,
    requestor: caller.name,
    comment,
    externalId,
    notBefore: notBefore === undefined ? null : readTime(notBefore),
    notAfter: notAfter === undefined ? null : readTime(notAfter),
    whenOffline,
    runLimitMs: msOf(runLimitSeconds),
    key: readKey(request),
  }
}

const msOf = (seconds: number | undefined): number | null => (seconds === undefined ? null : seconds * 1_000)

/** @throws Refusal MissingRequiredParameter, InvalidInput for force without words, and words without force */
export function readCancelInputs(body: {
  readonly Comment?: string
  readonly countermand?: CancelInputs
}): Omit<CancelWish, 'id' | 'caller' | 'key'> {
  const { Comment: comment = null, countermand = {} } = body
  const { force = false, attest = null, graceSeconds, expectedVersion = null, waitSeconds } = countermand
  if (force && (attest === null || attest.trim() === ''))
    throw new Refusal(
      'MissingRequiredParameter',
      'The required parameter countermand.attest is missing: how is it known that the action is over?',
    )
  if (!force && attest !== null)
    throw new Refusal('InvalidInput', 'countermand.attest goes with countermand.force: true only.')
  return { comment, attest, graceMs: msOf(graceSeconds), expectedVersion, waitMs: msOf(waitSeconds) }
}

const longestKey = 255

/** `Idempotency-Key`; null where there is none. @throws Refusal InvalidInput */
export function readKey({ headers }: FastifyRequest): string | null {
  const key = headers['idempotency-key']
  if (key === undefined || key === '') return null
  if (typeof key === 'string' && key.length <= longestKey) return key
  throw new Refusal('InvalidInput', `The Idempotency-Key must have ${longestKey} characters at most.`)
}
