import { MachineAction, type machineActions, type machineResponses } from '@countermand/contract'
import { cancelAction } from '../app/cancel-action.ts'
import { listActionEvents, listActions } from '../app/read-action.ts'
import { readProgress, type Shown } from '../app/read-progress.ts'
import { requestCollection } from '../app/request-collection.ts'
import { requestScan } from '../app/request-scan.ts'
import { requestLiveResponse } from '../app/request-live-response.ts'
import { packageLink, resultLink } from '../app/result-files.ts'
import type { Action } from '../core/action-shape.ts'
import { actionFields } from '../core/list-fields.ts'
import { killPoint } from '../kill-points.ts'
import type { Handlers } from './operation.ts'
import { envelopeOf, largestOf, readCounting, readList, type Collection } from './page.ts'
import { contextOf, toEventEntry, toMachineAction } from './wire.ts'

const entity = (base: string, action: Action, progress?: Shown) => ({
  '@odata.context': contextOf(base, 'MachineActions/$entity'),
  ...toMachineAction(action, progress),
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
    const value = listed.items.map((action) => toMachineAction(action, progress.get(action.id)))
    return envelopeOf(collection, asked, { listed, base }, value)
  },

  countMachineActions: async ({ app, query }) =>
    (await listActions(app, readCounting(query, collection))).count ?? 0,

  getMachineAction: async ({ app, target, base }) =>
    entity(base, target, (await readProgress(app, [target])).get(target.id)),

  cancelMachineAction: async ({ app, caller, params, body, base, request }) => {
    killPoint('cancel-received')
    const trace = request.span?.traceparent
    const asked = { id: params.id.toLowerCase(), by: caller.name, comment: body.Comment ?? null }
    return entity(base, await cancelAction(app, trace === undefined ? asked : { ...asked, trace }))
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
  runLiveResponse: async ({ app, caller, target, body, base }) => {
    const { Comment: comment = null, ExternalId: externalId = null, Commands: commands } = body
    const request = { machineId: target.id, requestor: caller.name, comment, externalId, commands }
    return entity(base, await requestLiveResponse(app, request))
  },

  collectInvestigationPackage: async ({ app, caller, target, body, base }) => {
    const { Comment: comment, ExternalId: externalId = null } = body
    const request = { machineId: target.id, requestor: caller.name, comment, externalId }
    return entity(base, await requestCollection(app, request))
  },

  runAntiVirusScan: async ({ app, caller, target, body, base }) => {
    const { Comment: comment, ExternalId: externalId = null, ScanType: scanType } = body
    const request = { machineId: target.id, requestor: caller.name, comment, externalId, scanType }
    return entity(base, await requestScan(app, request))
  },
}
