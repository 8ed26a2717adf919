import { quickScanLimitMs, type ScanType } from '@countermand/contract'
import type { Action } from '../core/action-shape.ts'
import type { App, Work } from './ports.ts'
import { issueAction, type ActionRequest } from './request-action.ts'

export interface ScanRequest extends ActionRequest {
  readonly scanType: ScanType
}

/** Issues a virus scan. */
export const requestScan = (app: App, request: ScanRequest): Promise<Action> => {
  const limit = app.runLimitsMs.RunAntiVirusScan
  const runLimitMs = request.scanType === 'Quick' ? Math.min(limit, quickScanLimitMs) : limit
  return app.store.write('issueScan', { ...request, id: app.ids.action(app.now()), runLimitMs })
}

type Issue = ScanRequest & { readonly id: string; readonly runLimitMs: number }

export const issueScan: Work<Issue, Action> = (rooms, request, { at }) => {
  const { id, scanType, runLimitMs } = request
  const parametersOf = () => ({ scanType })
  return issueAction(
    rooms,
    request,
    { id, type: 'RunAntiVirusScan', scope: scanType, runLimitMs, parametersOf },
    at,
  )
}
