import { Machine, type machines } from '@countermand/contract'
import { devicesAt, devicesTagged } from '../app/find-devices.ts'
import type { App } from '../app/ports.ts'
import { listDevices } from '../app/read-device.ts'
import type { Device } from '../core/device.ts'
import { deviceFields } from '../core/list-fields.ts'
import { needed, readAddress, readArguments, readTime } from './function-path.ts'
import type { Handlers } from './operation.ts'
import {
  envelopeOf,
  largestOf,
  readCounting,
  readList,
  readPage,
  refuseUnknownOptions,
  type Collection,
} from './page.ts'
import { contextOf, toMachine, toUsers } from './wire.ts'

interface Asked {
  readonly app: App
  readonly query: URLSearchParams
  readonly base: string
}

function machinesOf({ app, query, base }: Asked, devices: readonly Device[]) {
  const { top, skip } = readPage(query)
  return {
    '@odata.context': contextOf(base, 'Machines'),
    value: devices.slice(skip, skip + top).map((device) => toMachine(device, app.now())),
  }
}

const findAt = async (asked: Asked, text: string, addressName: string) => {
  const found = readArguments(text)
  const address = readAddress(needed(found, addressName))
  return machinesOf(asked, await devicesAt(asked.app, address, readTime(needed(found, 'timestamp'))))
}

const collection: Collection = {
  name: 'Machines',
  path: '/api/machines',
  fields: deviceFields,
  keys: Object.keys(Machine.properties).filter((key) => !key.startsWith('@')),
}

export const machineHandlers: Handlers<typeof machines> = {
  listMachines: async ({ app, query, base, request }) => {
    const asked = readList(query, collection, largestOf(request.headers.prefer))
    const listed = await listDevices(app, asked.query)
    const value = listed.items.map((device) => toMachine(device, app.now()))
    return envelopeOf(collection, asked, { listed, base }, value)
  },

  countMachines: async ({ app, query }) =>
    (await listDevices(app, readCounting(query, collection))).count ?? 0,

  getMachine: ({ app, target, base }) =>
    Promise.resolve({
      '@odata.context': contextOf(base, 'Machines/$entity'),
      ...toMachine(target, app.now()),
    }),

  findMachinesByIp: (call) => findAt(call, call.params.arguments, 'ip'),

  findMachines: (call) => findAt(call, call.params.arguments, 'key'),

  findMachinesByTag: async (call) => {
    const words = new Map([...call.query].map(([name, value]) => [name.toLowerCase(), value]))
    const isStart = words.get('usestartswithfilter')?.toLowerCase() === 'true'
    return machinesOf(call, await devicesTagged(call.app, needed(words, 'tag'), isStart))
  },

  listMachineUsers: ({ target, query, base }) => {
    refuseUnknownOptions(query, [])
    return Promise.resolve({ '@odata.context': contextOf(base, 'Users'), value: toUsers(target) })
  },
}
