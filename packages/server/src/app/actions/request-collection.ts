import { packageItemLimitMs } from '@countermand/contract'
import type { Action } from '../../core/action-shape.ts'
import type { App } from '../ports.ts'
import type { Work } from '../rows.ts'
import { issueAction, ordered, type ActionRequest, type Ordered } from './request-action.ts'

/** Issues the collection of an investigation package. */
export const requestCollection = (app: App, request: ActionRequest): Promise<Action> => {
  const limitMs = request.runLimitMs ?? app.runLimitsMs.CollectInvestigationPackage
  return app.store.write('issueCollection', { ...ordered(app, type, request), limitMs })
}

const type = 'CollectInvestigationPackage'
type Issue = Ordered<ActionRequest> & { readonly limitMs: number }

const parametersOf = () => ({ itemLimitMs: packageItemLimitMs })

export const issueCollection: Work<Issue, Action> = (rooms, request, { at }) => {
  const { limitMs: runLimitMs } = request
  return issueAction(rooms, request, { type, scope: null, runLimitMs, parametersOf }, at)
}
