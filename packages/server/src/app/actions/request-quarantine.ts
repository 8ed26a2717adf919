import type { Action } from '../../core/action-shape.ts'
import type { App } from '../ports.ts'
import type { Work } from '../rows.ts'
import { issueAction, ordered, type ActionRequest, type Ordered } from './request-action.ts'

export interface QuarantineRequest extends ActionRequest {
  /** In small letters. */
  readonly sha1: string
}

/** Issues the quarantine of a file. */
export const requestQuarantine = (app: App, request: QuarantineRequest): Promise<Action> => {
  const limitMs = request.runLimitMs ?? app.runLimitsMs.StopAndQuarantineFile
  const packaged = app.policies.quarantinePackaged
  return app.store.write('issueQuarantine', { ...ordered(app, type, request), limitMs, packaged })
}

const type = 'StopAndQuarantineFile'
type Issue = Ordered<QuarantineRequest> & { readonly limitMs: number; readonly packaged: boolean }

export const issueQuarantine: Work<Issue, Action> = (rooms, request, { at }) => {
  const { sha1, packaged, limitMs: runLimitMs } = request
  const parametersOf = () => ({ sha1, packaged })
  return issueAction(rooms, request, { type, scope: null, runLimitMs, parametersOf }, at)
}
