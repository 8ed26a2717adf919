/**
 * A playbook of two SDKs as npm brings them, with the addresses of Microsoft's documentation: MSAL for Node, and Microsoft's client
 * library for Graph, which knows OData, pages, errors and throttling. Prints what it has seen as JSON.
 * (Not TypeScript: the types of the library ask for those of a browser.)
 */
import { setTimeout as pause } from 'node:timers/promises'
import { ConfidentialClientApplication } from '@azure/msal-node'
import { Client, GraphError, PageIterator } from '@microsoft/microsoft-graph-client'

const [tenantId, clientId, clientSecret] = process.argv.slice(2)
const apiHost = 'api.securitycenter.microsoft.com'

const authority = `https://login.microsoftonline.com/${tenantId}`
const application = new ConfidentialClientApplication({ auth: { clientId, clientSecret, authority } })
const fromCache = []
const getAccessToken = async () => {
  const granted = await application.acquireTokenByClientCredential({
    scopes: [`https://${apiHost}/.default`],
  })
  fromCache.push(granted.fromCache)
  return granted.accessToken
}
const client = Client.initWithMiddleware({
  baseUrl: `https://${apiHost}/`,
  defaultVersion: 'api',
  customHosts: new Set([apiHost]),
  authProvider: { getAccessToken },
})

const refusalOf = async (asked) => {
  try {
    return await asked
  } catch (thrown) {
    if (thrown instanceof GraphError) return [thrown.statusCode, thrown.code, thrown.message]
    throw thrown
  }
}
const collect = (machine) =>
  client.api(`/machines/${machine}/collectInvestigationPackage`).post({ Comment: 'case 17' })
const cancel = (action, comment) =>
  client.api(`/machineactions/${action.id}/cancel`).post({ Comment: comment })

/** Asks again while it is in one of these. */
const settled = async (action, passing) => {
  for (let now = action; ; now = await client.api(`/machineactions/${action.id}`).get()) {
    if (!passing.includes(now.status)) return now
    await pause(200)
  }
}

const machines = await client.api('/machines').top(1).get()
const [machine] = machines.value

const created = await collect(machine.id)
const found = await client
  .api('/machineactions')
  .filter(`id in ('${created.id}') and type eq 'CollectInvestigationPackage'`)
  .select(['id', 'requestorComment'])
  .count(true)
  .get()
const cancelled = await settled(await cancel(created, 'wrong host'), ['Pending', 'InProgress'])
const tooLate = await refusalOf(cancel(created, 'once more'))
const unknown = await refusalOf(collect('0'.repeat(40)))

const scan = { Comment: 'case 17', ScanType: 'Quick' }
const begun = await settled(await client.api(`/machines/${machine.id}/runAntiVirusScan`).post(scan), [
  'Pending',
])
const stopped = await settled(await cancel(begun, 'wrong host'), ['Pending', 'InProgress'])

const form = new FormData()
form.set('file', new File(['#!/bin/sh\nsleep 600\n'], 'wait.sh'))
form.set('OverrideIfExists', 'true')
const uploaded = await client.api('/libraryfiles').post(form)
const response = await client.api(`/machines/${machine.id}/runliveresponse`).post({
  Comment: 'case 17',
  Commands: [{ type: 'RunScript', params: [{ key: 'ScriptName', value: 'wait.sh' }] }],
})
await settled(response, ['Pending'])
const ended = await settled(await cancel(response, 'wrong host'), ['Pending', 'InProgress'])
const noResult = await refusalOf(
  client.api(`/machineactions/${response.id}/GetLiveResponseResultDownloadLink(index=0)`).get(),
)

const paged = []
const headers = { Prefer: 'odata.maxpagesize=1' }
const first = await client
  .api('/machineactions')
  .filter(`machineId eq '${machine.id}'`)
  .top(3)
  .headers(headers)
  .get()
await new PageIterator(client, first, ({ id }) => paged.push(id) > 0, { headers }).iterate()

const seen = { fromCache, machine, created, found, cancelled, tooLate, unknown, begun, stopped }
console.log(JSON.stringify({ ...seen, uploaded, response, ended, noResult, paged }))
