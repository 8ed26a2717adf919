/** The operations of the reference (`wire.md` 1), and our stand where there is something to say (`wire.md` 15). */

export interface ReferenceOperation {
  readonly method: 'GET' | 'POST' | 'PATCH' | 'DELETE'
  readonly path: string
  /** Query options of the reference. Where ours takes fewer it is stricter. */
  readonly query?: readonly string[]
  readonly stand?: 'stricter' | 'extended'
  readonly note?: string
}

const get = (path: string, more: Partial<ReferenceOperation> = {}): ReferenceOperation => ({
  method: 'GET',
  path: `/api${path}`,
  ...more,
})
const post = (path: string, more: Partial<ReferenceOperation> = {}): ReferenceOperation => ({
  ...get(path, more),
  method: 'POST',
})
const list = { query: ['$filter', '$top', '$skip', '$orderby', '$select', '$count'] }
const one = 'a second one while one is open is 400 `ActiveRequestAlreadyExists`, never the id of the first'
const respond = { note: one }

export const referenceOperations: readonly ReferenceOperation[] = [
  get('/machineactions', list),
  get('/machineactions/{id}'),
  post('/machineactions/{id}/cancel', {
    stand: 'extended',
    note:
      '`Cancelled` is said only with proof; without it within 1.5 s the answer is the action as it stands. `Comment` ' +
      'is optional. Of a finished action: 400 `BadRequest`; the same request again: 200',
  }),
  get('/machineactions/{id}/getPackageUri', { note: '200; the link is good for 30 minutes' }),
  get('/machineactions/{id}/GetLiveResponseResultDownloadLink(index={index})', {
    note: 'the link is good for 30 minutes',
  }),

  post('/machines/{id}/isolate', {
    note: 'without `IsolationType`: `Full`; `UnManagedDevice` is 400: only an agent isolates its device',
  }),
  post('/machines/{id}/unisolate'),
  post('/machines/{id}/restrictCodeExecution'),
  post('/machines/{id}/unrestrictCodeExecution'),
  post('/machines/{id}/runAntiVirusScan', respond),
  post('/machines/{id}/offboard', { note: '201, like the others' }),
  post('/machines/{id}/StopAndQuarantineFile'),
  post('/machines/{id}/collectInvestigationPackage', respond),
  post('/machines/{id}/runliveresponse', {
    note: `201; \`Comment\` is optional; at most 100 commands; ${one}`,
  }),

  post('/machines/{id}/startInvestigation'),
  get('/investigations', list),
  get('/investigations/{id}'),

  get('/libraryfiles'),
  post('/libraryfiles', { note: '200; at most 20 MiB' }),
  { method: 'DELETE', path: '/api/libraryfiles/{fileName}', note: '204' },

  get('/machines', { ...list, note: 'an empty list is 200, never 404' }),
  get('/machines/{id}', { note: 'id or computer name' }),
  { method: 'PATCH', path: '/api/machines/{id}' },
  get("/machines/findbyip(ip='{ip}',timestamp={timestamp})"),
  get('/machines/findbytag'),
  get('/machines/find(timestamp={timestamp},key={ip})', { note: 'undocumented, older' }),
  post('/machines/{id}/tags'),
  post('/machines/AddOrRemoveTagForMultipleMachines'),
  post('/machines/{id}/setDeviceValue'),
  get('/machines/{id}/logonusers'),
  get('/machines/{id}/alerts'),
  get('/alerts', { note: 'of another family; clients try their connection with it' }),
]
