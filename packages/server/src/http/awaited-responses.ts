import type { AwaitedType, awaitedResponses } from '@countermand/contract'
import { refuseAwaited, refuseOtherThanSha1 } from '../core/request.ts'
import type { Device } from '../core/device.ts'
import type { Handlers } from './operation.ts'

const refused =
  (type: AwaitedType) =>
  // Async, so that the refusal is the answer and not thrown past it.
  async ({ target }: { readonly target: Device }): Promise<never> =>
    refuseAwaited(type, target.facts?.osPlatform ?? null)

export const awaitedResponseHandlers: Handlers<typeof awaitedResponses> = {
  isolate: refused('Isolate'),
  unisolate: refused('Unisolate'),
  restrictCodeExecution: refused('RestrictCodeExecution'),
  unrestrictCodeExecution: refused('UnrestrictCodeExecution'),
  offboard: refused('Offboard'),
  stopAndQuarantineFile: async (call) => {
    refuseOtherThanSha1(call.body.Sha1)
    return refused('StopAndQuarantineFile')(call)
  },
}
