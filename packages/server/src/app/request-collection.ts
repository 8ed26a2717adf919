import { packageItemLimitMs } from '@countermand/contract'
import type { Action } from '../core/action-shape.ts'
import type { App, Work } from './ports.ts'
import { issueAction, type ActionRequest } from './request-action.ts'

/** Issues the collection of an investigation package. */
export const requestCollection = (app: App, request: ActionRequest): Promise<Action> => {
  const runLimitMs = app.runLimitsMs.CollectInvestigationPackage
  return app.store.write('issueCollection', { ...request, id: app.ids.action(app.now()), runLimitMs })
}

type Issue = ActionRequest & { readonly id: string; readonly runLimitMs: number }

const parametersOf = () => ({ itemLimitMs: packageItemLimitMs })

export const issueCollection: Work<Issue, Action> = (rooms, request, { at }) => {
  const { id, runLimitMs } = request
  return issueAction(
    rooms,
    request,
    { id, type: 'CollectInvestigationPackage', scope: null, runLimitMs, parametersOf },
    at,
  )
}
