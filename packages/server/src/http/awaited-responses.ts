import type { AwaitedType, awaitedResponses } from '@countermand/contract'
import type { App } from '../app/ports.ts'
import { refuseBeyondPlan, refuseSilent } from '../core/policies.ts'
import { refuseAwaited, refuseOtherThanSha1 } from '../core/request.ts'
import type { Handlers } from './operation.ts'

interface Asked {
  readonly app: App
  readonly body: { readonly Comment: string }
}

const refused =
  (type: AwaitedType) =>
  // Async, so that the refusal is the answer and not thrown past it.
  async ({ app, body }: Asked): Promise<never> => {
    refuseBeyondPlan(app.policies, type)
    refuseSilent(app.policies, body.Comment)
    return refuseAwaited(type)
  }

export const awaitedResponseHandlers: Handlers<typeof awaitedResponses> = {
  stopAndQuarantineFile: async (call) => {
    refuseOtherThanSha1(call.body.Sha1)
    return refused('StopAndQuarantineFile')(call)
  },
}
