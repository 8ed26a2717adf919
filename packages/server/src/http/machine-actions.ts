import { MachineAction, type machineActions, type machineResponses } from '@countermand/contract'
import { StaleVersion, cancelAction } from '../app/actions/cancel-action.ts'
import { listActionEvents, listActions, listCancelRequests } from '../app/actions/read-action.ts'
import { readProgress } from '../app/actions/read-progress.ts'
import { requestCollection } from '../app/actions/request-collection.ts'
import { requestOffboarding } from '../app/actions/request-offboarding.ts'
import {
  requestIsolation,
  requestLifting,
  requestRelease,
  requestRestriction,
} from '../app/actions/request-posture.ts'
import { requestQuarantine } from '../app/actions/request-quarantine.ts'
import { requestScan } from '../app/actions/request-scan.ts'
import { requestLiveResponse } from '../app/actions/request-live-response.ts'
import { packageLink, resultLink } from '../app/files/result-files.ts'
import type { Action } from '../core/action-shape.ts'
import { refuseOtherThanSha1 } from '../core/request.ts'
import { actionFields } from '../core/list-fields.ts'
import { killPoint } from '../kill-points.ts'
import { readActionRequest, readCancelInputs, readKey } from './inputs.ts'
import type { Handlers } from './operation.ts'
import { envelopeOf, largestOf, readCounting, readList, type Collection } from './page.ts'
import { contextOf, toEventEntry, toMachineAction, type Beside } from './wire.ts'

const entity = (base: string, action: Action, beside?: Beside) => ({
  '@odata.context': contextOf(base, 'MachineActions/$entity'),
  ...toMachineAction(action, beside),
})

const collection: Collection = {
  name: 'MachineActions',
  path: '/api/machineactions',
  fields: actionFields,
  keys: Object.keys(MachineAction.properties).filter((key) => !key.startsWith('@')),
}

export const machineActionHandlers: Handlers<typeof machineActions> = {
  listMachineActions: async ({ app, query, base, request }) => {
    const asked = readList(query, collection, largestOf(request.headers.prefer))
    const listed = await listActions(app, asked.query)
    const progress = await readProgress(app, listed.items)
    const value = listed.items.map((action) => toMachineAction(action, { progress: progress.get(action.id) }))
    return envelopeOf(collection, asked, { listed, base }, value)
  },

  countMachineActions: async ({ app, query }) =>
    (await listActions(app, readCounting(query, collection))).count ?? 0,

  getMachineAction: async ({ app, target, base }) => {
    const progress = (await readProgress(app, [target])).get(target.id)
    return entity(base, target, { progress, requests: await listCancelRequests(app, target) })
  },

  cancelMachineAction: async ({ app, caller, params, body, base, request }) => {
    killPoint('cancel-received')
    const wish = {
      id: params.id.toLowerCase(),
      caller,
      ...readCancelInputs(body),
      key: readKey(request),
      trace: request.span?.traceparent,
    }
    try {
      return entity(base, await cancelAction(app, wish))
    } catch (thrown) {
      if (thrown instanceof StaleVersion) thrown.beside = { current: entity(base, thrown.action) }
      throw thrown
    }
  },

  getLiveResponseResult: ({ app, target, params, base }) =>
    Promise.resolve({
      '@odata.context': contextOf(base, 'Edm.String'),
      value: base + resultLink(app, target, Number(params.index)),
    }),

  getPackageUri: ({ app, target, base }) =>
    Promise.resolve({
      '@odata.context': contextOf(base, 'Edm.String'),
      value: base + packageLink(app, target),
    }),

  listMachineActionEvents: async ({ app, target, base }) => ({
    '@odata.context': contextOf(base, 'MachineActionEvents'),
    value: (await listActionEvents(app, target.id)).map(toEventEntry),
  }),
}

export const machineResponseHandlers: Handlers<typeof machineResponses> = {
  runLiveResponse: async (call) => {
    const { app, body, base } = call
    const request = { ...readActionRequest(call), commands: body.Commands }
    return entity(base, await requestLiveResponse(app, request))
  },

  collectInvestigationPackage: async (call) =>
    entity(call.base, await requestCollection(call.app, readActionRequest(call))),

  runAntiVirusScan: async (call) => {
    const { app, body, base } = call
    const request = { ...readActionRequest(call), scanType: body.ScanType }
    return entity(base, await requestScan(app, request))
  },

  stopAndQuarantineFile: async (call) => {
    const { app, body, base } = call
    refuseOtherThanSha1(body.Sha1)
    const request = { ...readActionRequest(call), sha1: body.Sha1.toLowerCase() }
    return entity(base, await requestQuarantine(app, request))
  },

  isolate: async (call) => {
    const { app, body, base } = call
    const request = { ...readActionRequest(call), isolationType: body.IsolationType ?? 'Full' }
    return entity(base, await requestIsolation(app, request))
  },

  unisolate: async (call) => entity(call.base, await requestRelease(call.app, readActionRequest(call))),

  offboard: async (call) => entity(call.base, await requestOffboarding(call.app, readActionRequest(call))),

  restrictCodeExecution: async (call) =>
    entity(call.base, await requestRestriction(call.app, readActionRequest(call))),

  unrestrictCodeExecution: async (call) =>
    entity(call.base, await requestLifting(call.app, readActionRequest(call))),
}
