/**
 * Who may ask what: every operation with its two columns of `wire.md` 1, and at its end what is ours. Written down by hand: the rows
 * of the contract are what is measured by it.
 */
import type { Asked } from './server.ts'

export interface Columns {
  readonly app: readonly string[]
  readonly delegated: readonly string[]
  /** Any one of which an application needs besides, in a second check (`wire.md` 1.2, U7). */
  readonly appToo?: readonly string[]
}
type Row = readonly [method: Asked['method'], path: string, columns: Columns]

const both = (name: string): Columns => ({ app: [name], delegated: [name] })
const id = '00000000-0000-4000-8000-000000000000'
const read: Columns = {
  app: ['Machine.Read.All', 'Machine.ReadWrite.All'],
  delegated: ['Machine.Read', 'Machine.ReadWrite'],
}
const write: Columns = { app: ['Machine.ReadWrite.All'], delegated: ['Machine.ReadWrite'] }
const alerts: Columns = {
  app: ['Alert.Read.All', 'Alert.ReadWrite.All'],
  delegated: ['Alert.Read', 'Alert.ReadWrite'],
}
const respond = [
  'Machine.CollectForensics',
  'Machine.Isolate',
  'Machine.RestrictExecution',
  'Machine.Scan',
  'Machine.Offboard',
  'Machine.StopAndQuarantine',
  'Machine.LiveResponse',
]
const administer = both('Countermand.Administer')

export const permissionTable: readonly Row[] = [
  ['GET', '/api/machineactions', read],
  ['GET', '/api/machineactions/$count', read],
  ['GET', `/api/machineactions/${id}`, read],
  ['POST', `/api/machineactions/${id}/cancel`, { app: respond, delegated: respond }],
  ['GET', `/api/machineactions/${id}/getPackageUri`, { ...read, delegated: ['Machine.CollectForensics'] }],
  [
    'GET',
    `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`,
    { ...read, delegated: ['Machine.LiveResponse'] },
  ],
  ['POST', '/api/machines/x/collectInvestigationPackage', both('Machine.CollectForensics')],
  ['POST', '/api/machines/x/runliveresponse', both('Machine.LiveResponse')],
  ['POST', '/api/machines/x/runAntiVirusScan', both('Machine.Scan')],
  ['POST', '/api/machines/x/isolate', both('Machine.Isolate')],
  ['POST', '/api/machines/x/unisolate', both('Machine.Isolate')],
  ['POST', '/api/machines/x/restrictCodeExecution', both('Machine.RestrictExecution')],
  ['POST', '/api/machines/x/unrestrictCodeExecution', both('Machine.RestrictExecution')],
  ['POST', '/api/machines/x/offboard', both('Machine.Offboard')],
  [
    'POST',
    '/api/machines/x/StopAndQuarantineFile',
    { ...both('Machine.StopAndQuarantine'), appToo: read.app },
  ],
  ['GET', '/api/machines', read],
  ['GET', '/api/machines/$count', read],
  ['GET', '/api/machines/x', read],
  ['GET', "/api/machines/findbyip(ip='192.0.2.17',timestamp=2026-02-03T04:05:06Z)", read],
  ['GET', "/api/machines/find(timestamp=2026-02-03T04:05:06Z,key='192.0.2.17')", read],
  ['GET', '/api/machines/findbytag?tag=x', read],
  ['GET', '/api/machines/x/logonusers', both('User.Read.All')],
  ['PATCH', '/api/machines/x', write],
  ['POST', '/api/machines/x/tags', write],
  ['POST', '/api/machines/AddOrRemoveTagForMultipleMachines', write],
  ['POST', '/api/machines/x/setDeviceValue', write],
  ['GET', '/api/alerts', alerts],
  ['GET', '/api/alerts/$count', alerts],
  ['GET', '/api/machines/x/alerts', alerts],
  ['GET', '/api/machines/x/alerts/$count', alerts],
  ['GET', '/api/libraryfiles', both('Library.Manage')],
  ['POST', '/api/libraryfiles', both('Library.Manage')],
  ['DELETE', '/api/libraryfiles/x', both('Library.Manage')],
  ['GET', '/api/countermand/events?follow=false', read],
  ['GET', `/api/countermand/actions/${id}/events`, read],
  ['GET', '/api/countermand/applications', administer],
  ['POST', '/api/countermand/applications', administer],
  ['GET', `/api/countermand/applications/${id}`, administer],
  ['PATCH', `/api/countermand/applications/${id}`, administer],
  ['POST', `/api/countermand/applications/${id}/secrets`, administer],
  ['DELETE', `/api/countermand/applications/${id}/secrets/${id}`, administer],
  ['GET', '/api/countermand/enrolmenttokens', administer],
  ['POST', '/api/countermand/enrolmenttokens', administer],
  ['DELETE', `/api/countermand/enrolmenttokens/${id}`, administer],
  ['GET', '/api/countermand/devices', administer],
  ['GET', '/api/countermand/devices/x', administer],
  ['PATCH', '/api/countermand/devices/x', administer],
  ['POST', '/api/countermand/devices/x/retire', administer],
  ['POST', '/api/countermand/devices/x/revokekey', administer],
  ['POST', '/api/countermand/devices/x/release', both('Countermand.Release')],
]
