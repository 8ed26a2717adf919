import type { machines } from '@countermand/contract'
import { listDevices } from '../app/read-device.ts'
import type { Handlers } from './operation.ts'
import { readPage } from './page.ts'
import { contextOf, toMachine } from './wire.ts'

export const machineHandlers: Handlers<typeof machines> = {
  listMachines: async ({ app, query, base }) => ({
    '@odata.context': contextOf(base, 'Machines'),
    value: (await listDevices(app, readPage(query))).map((device) => toMachine(device, app.now())),
  }),

  getMachine: ({ app, target, base }) =>
    Promise.resolve({
      '@odata.context': contextOf(base, 'Machines/$entity'),
      ...toMachine(target, app.now()),
    }),
}
