import type { enrolmentTokens } from '@countermand/contract'
import { makeEnrolmentToken } from '../app/enrol-device.ts'
import { findDevice } from '../app/read-device.ts'
import type { Handlers } from './operation.ts'
import { contextOf, timestamp } from './wire.ts'

export const enrolmentTokenHandlers: Handlers<typeof enrolmentTokens> = {
  createEnrolmentToken: async ({ app, caller, body, base }) => {
    const forDevice = body.MachineId === undefined ? null : (await findDevice(app, body.MachineId)).id
    const { token, expiresAt } = await makeEnrolmentToken(app, {
      server: app.publicUrl ?? base,
      forDevice,
      by: caller.name,
    })
    return {
      '@odata.context': contextOf(base, 'EnrolmentTokens/$entity'),
      enrolmentToken: token,
      expirationDateTimeUtc: timestamp(expiresAt),
    }
  },
}
