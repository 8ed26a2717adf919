import type { enrolmentTokens } from '@countermand/contract'
import { listEnrolmentTokens, makeEnrolmentToken, revokeEnrolmentToken } from '../app/enrolment-tokens.ts'
import { findDevice } from '../app/read-device.ts'
import type { Handlers } from './operation.ts'
import { refuseUnknownOptions } from './page.ts'
import { contextOf, timestamp, toEnrolmentTokenEntry } from './wire.ts'

export const enrolmentTokenHandlers: Handlers<typeof enrolmentTokens> = {
  createEnrolmentToken: async ({ app, caller, body, base }) => {
    const forDevice = body.MachineId === undefined ? null : (await findDevice(app, body.MachineId)).id
    const { id, token, expiresAt } = await makeEnrolmentToken(app, {
      server: app.publicUrl ?? base,
      forDevice,
      by: caller.name,
    })
    return {
      '@odata.context': contextOf(base, 'EnrolmentTokens/$entity'),
      id,
      enrolmentToken: token,
      expirationDateTimeUtc: timestamp(expiresAt),
    }
  },

  listEnrolmentTokens: async ({ app, query, base }) => {
    refuseUnknownOptions(query, [])
    return {
      '@odata.context': contextOf(base, 'EnrolmentTokens'),
      value: (await listEnrolmentTokens(app)).map((row) => toEnrolmentTokenEntry(row, app.now())),
    }
  },

  revokeEnrolmentToken: async ({ app, caller, target }) => {
    await revokeEnrolmentToken(app, { id: target.id, by: caller.name })
    return null
  },
}
