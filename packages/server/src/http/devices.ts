import { DeviceEntry, type devices } from '@countermand/contract'
import { renameDevice, retireDevice, revokeDeviceKey } from '../app/administer-devices.ts'
import { releaseDevice } from '../app/release-device.ts'
import { listDevices } from '../app/read-device.ts'
import type { Device } from '../core/device.ts'
import { deviceFields } from '../core/list-fields.ts'
import type { Handlers } from './operation.ts'
import { envelopeOf, largestOf, readList, type Collection } from './page.ts'
import { contextOf, toDeviceEntry } from './wire.ts'

/** Filtered and ordered by what machines are, too. */
const collection: Collection = {
  name: 'Devices',
  path: '/api/countermand/devices',
  fields: deviceFields,
  keys: Object.keys(DeviceEntry.properties).filter((key) => !key.startsWith('@')),
}

const entity = (base: string, device: Device) => ({
  '@odata.context': contextOf(base, 'Devices/$entity'),
  ...toDeviceEntry(device),
})

export const deviceHandlers: Handlers<typeof devices> = {
  listDevices: async ({ app, query, base, request }) => {
    const asked = readList(query, collection, largestOf(request.headers.prefer))
    const listed = await listDevices(app, asked.query)
    return envelopeOf(collection, asked, { listed, base }, listed.items.map(toDeviceEntry))
  },

  getDevice: ({ target, base }) => Promise.resolve(entity(base, target)),

  renameDevice: async ({ app, caller, target, body, base }) => {
    const { displayName: givenName } = body
    if (givenName === undefined) return entity(base, target)
    return entity(base, await renameDevice(app, { id: target.id, givenName, by: caller.name }))
  },

  retireDevice: async ({ app, caller, target, body, base }) => {
    const asked = { id: target.id, comment: body.Comment ?? null, by: caller.name }
    return entity(base, await retireDevice(app, asked))
  },

  revokeDeviceKey: async ({ app, caller, target, body, base }) => {
    const asked = { id: target.id, comment: body.Comment ?? null, by: caller.name }
    return entity(base, await revokeDeviceKey(app, asked))
  },

  releaseDevice: async ({ app, caller, target, body, base }) => {
    const asked = { id: target.id, comment: body.Comment ?? null, by: caller.name }
    const value = await releaseDevice(app, { ...asked, challenge: body.Challenge })
    return { '@odata.context': contextOf(base, 'Edm.String'), value }
  },
}
