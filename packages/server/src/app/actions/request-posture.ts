import type { ActionParameters, PostureType, StandType } from '@countermand/contract'
import type { Action } from '../../core/action-shape.ts'
import { Refusal } from '../../core/errors.ts'
import type { App } from '../ports.ts'
import type { Work } from '../rows.ts'
import { issueAction, ordered, type ActionRequest, type Ordered } from './request-action.ts'

export interface IsolationRequest extends ActionRequest {
  readonly isolationType: 'Full' | 'Selective' | 'UnManagedDevice'
}

/** Cuts a device off from everything but this server. @throws Refusal OsPlatformNotSupported for what only another device could do */
export const requestIsolation = (app: App, request: IsolationRequest): Promise<Action> => {
  const { isolationType } = request
  if (isolationType === 'UnManagedDevice') {
    const text = 'A device is isolated here by its own agent; to contain one that has none is not supported.'
    return Promise.reject(new Refusal('OsPlatformNotSupported', text))
  }
  return issue(app, request, {
    type: 'Isolate',
    scope: isolationType,
    parameters: { isolation: isolationType },
  })
}

/** Lets it back, whoever had it isolated. */
export const requestRelease = (app: App, request: ActionRequest): Promise<Action> =>
  issue(app, request, { type: 'Unisolate', scope: null, parameters: { isolation: 'None' } })

/** Lets a device start no programs but those that its packages have installed. */
export const requestRestriction = (app: App, request: ActionRequest): Promise<Action> =>
  issue(app, request, { type: 'RestrictCodeExecution', scope: null, parameters: { restriction: 'Full' } })

/** Lets it start all of them, whoever had it restricted. */
export const requestLifting = (app: App, request: ActionRequest): Promise<Action> =>
  issue(app, request, { type: 'UnrestrictCodeExecution', scope: null, parameters: { restriction: 'None' } })

interface Wanted {
  readonly type: PostureType
  readonly scope: StandType | null
  readonly parameters: ActionParameters
}

function issue(app: App, request: ActionRequest, wanted: Wanted): Promise<Action> {
  const limitMs = request.runLimitMs ?? app.runLimitsMs[wanted.type]
  return app.store.write('issuePosture', { ...ordered(app, wanted.type, request), ...wanted, limitMs })
}

type Issue = Ordered<ActionRequest> & Wanted & { readonly limitMs: number }

export const issuePosture: Work<Issue, Action> = (rooms, request, { at }) => {
  const { type, scope, parameters, limitMs: runLimitMs } = request
  return issueAction(rooms, request, { type, scope, runLimitMs, parametersOf: () => parameters }, at)
}
