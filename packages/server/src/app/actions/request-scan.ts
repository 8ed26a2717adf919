import { quickScanLimitMs, type ScanType } from '@countermand/contract'
import type { Action } from '../../core/action-shape.ts'
import type { App } from '../ports.ts'
import type { Work } from '../rows.ts'
import { issueAction, ordered, type ActionRequest, type Ordered } from './request-action.ts'

export interface ScanRequest extends ActionRequest {
  readonly scanType: ScanType
}

/** Issues a virus scan. */
export const requestScan = (app: App, request: ScanRequest): Promise<Action> => {
  const limit = app.runLimitsMs.RunAntiVirusScan
  const ofType = request.scanType === 'Quick' ? Math.min(limit, quickScanLimitMs) : limit
  const limitMs = request.runLimitMs ?? ofType
  return app.store.write('issueScan', { ...ordered(app, type, request), limitMs })
}

const type = 'RunAntiVirusScan'
type Issue = Ordered<ScanRequest> & { readonly limitMs: number }

export const issueScan: Work<Issue, Action> = (rooms, request, { at }) => {
  const { scanType, limitMs: runLimitMs } = request
  const parametersOf = () => ({ scanType })
  return issueAction(rooms, request, { type, scope: scanType, runLimitMs, parametersOf }, at)
}
