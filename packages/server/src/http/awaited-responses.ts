import type { AwaitedType, awaitedResponses } from '@countermand/contract'
import type { App } from '../app/ports.ts'
import { refuseBeyondPlan, refuseSilent } from '../core/policies.ts'
import { refuseAwaited } from '../core/request.ts'
import type { Device } from '../core/device.ts'
import type { Handlers } from './operation.ts'

interface Asked {
  readonly app: App
  readonly target: Device
  readonly body: { readonly Comment: string }
}

const refused =
  (type: AwaitedType) =>
  // Async, so that the refusal is the answer and not thrown past it.
  async ({ app, target, body }: Asked): Promise<never> => {
    refuseBeyondPlan(app.policies, type)
    refuseSilent(app.policies, body.Comment)
    return refuseAwaited(type, target.facts?.osPlatform ?? null)
  }

export const awaitedResponseHandlers: Handlers<typeof awaitedResponses> = {
  restrictCodeExecution: refused('RestrictCodeExecution'),
  unrestrictCodeExecution: refused('UnrestrictCodeExecution'),
  offboard: refused('Offboard'),
}
