/** What is ours in a request: one object beside the reference's fields, `countermand`, which may be left out. */
import { Type, type Static, type TSchema } from 'typebox'
import { Timestamp, oneOf } from './machine-action.ts'

/** May be left out; described where the reference is read. */
const told = <Schema extends TSchema>(schema: Schema, description: string) =>
  Type.Optional({ ...schema, description })

/** The longest that an action may wait for its time, or be given to begin: 90 days. */
export const longestWaitMs = 90 * 24 * 60 * 60_000

/** Of a new action. Names that are not here are refused: a wish that is passed over would be worse than none. */
export const ActionInputs = Type.Object(
  {
    notBefore: told(Timestamp, 'Not before this time; until then its phase is `scheduled`.'),
    notAfter: told(
      Timestamp,
      'Not begun by then, it is not begun at all, and ends as TimeOut. Without it: 3 days after issue, or after `notBefore`.',
    ),
    whenOffline: told(
      oneOf(['queue', 'skip']),
      '`skip`: where the device does not take it up within a minute it ends as TimeOut, reason `offline`. Else it waits.',
    ),
    runLimitSeconds: told(
      Type.Integer({ minimum: 1, maximum: 7 * 24 * 60 * 60 }),
      'How long it may run on the device; for live responses each command.',
    ),
  },
  { additionalProperties: false },
)
export type ActionInputs = Static<typeof ActionInputs>

/** Of a cancel. */
export const CancelInputs = Type.Object(
  {
    force: told(
      Type.Boolean(),
      'Ends the action as Cancelled although its device has not said so, on the word of whoever asks: where the cancel is outstanding and the device has been silent for two minutes. Needs `attest` and the permission `Countermand.Force`.',
    ),
    attest: told(
      Type.String({ minLength: 1, maxLength: 4_000 }),
      `Why the action is known to be over, in words; kept with the caller's name.`,
    ),
    graceSeconds: told(
      Type.Integer({ minimum: 0, maximum: 600 }),
      'Processes are asked to end (SIGTERM) this long before they are killed.',
    ),
    expectedVersion: told(
      Type.Integer({ minimum: 1 }),
      '409 `Conflict`, with the action as it is, where it has another version.',
    ),
    waitSeconds: told(
      Type.Integer({ minimum: 0, maximum: 60 }),
      `How long the answer may wait for the device's proof.`,
    ),
  },
  { additionalProperties: false },
)
export type CancelInputs = Static<typeof CancelInputs>

/** What every new action takes beside its own fields. */
export const about = {
  ExternalId: Type.Optional(Type.String()),
  countermand: Type.Optional(ActionInputs),
}
