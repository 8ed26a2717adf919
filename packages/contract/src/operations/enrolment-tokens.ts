import { Type } from 'typebox'
import { Timestamp } from '../machine-action.ts'
import type { Operation } from '../operation.ts'

const administer = { app: ['Countermand.Administer'], delegated: ['Countermand.Administer'] } as const

/** Ours, not the reference's: how a further device is brought in. */
export const enrolmentTokens = {
  createEnrolmentToken: {
    summary: 'Makes a one-time token with which a further device is brought in.',
    method: 'POST',
    path: '/api/countermand/enrolmenttokens',
    permission: administer,
    limit: 'respond',
    target: 'none',
    body: Type.Object({
      /** An existing device that is to keep its id; left out, the token makes a new device. */
      MachineId: Type.Optional(Type.String()),
    }),
    status: 201,
    reply: Type.Object({
      '@odata.context': Type.String(),
      /** Given to the agent once: `countermand-agent --enrol TOKEN`. It cannot be asked for again. */
      enrolmentToken: Type.String(),
      expirationDateTimeUtc: Timestamp,
    }),
  },
} as const satisfies Record<string, Operation>
