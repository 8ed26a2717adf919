import type { Action } from '../../core/action-shape.ts'
import type { App } from '../ports.ts'
import type { Work } from '../rows.ts'
import { issueAction, ordered, type ActionRequest, type Ordered } from './request-action.ts'

/** Issues an offboarding: alone, so not while anything else is on its way there. */
export const requestOffboarding = (app: App, request: ActionRequest): Promise<Action> => {
  const limitMs = request.runLimitMs ?? app.runLimitsMs.Offboard
  return app.store.write('issueOffboarding', { ...ordered(app, type, request), limitMs })
}

const type = 'Offboard'
type Issue = Ordered<ActionRequest> & { readonly limitMs: number }

const parametersOf = () => ({ offboard: true as const })

export const issueOffboarding: Work<Issue, Action> = (rooms, request, { at }) => {
  const { limitMs: runLimitMs } = request
  return issueAction(rooms, request, { type, scope: null, runLimitMs, parametersOf }, at)
}
