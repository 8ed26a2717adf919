/** Restriction: which programs may be started on this host. */
import type { ExecutionControl } from '../host/execution/types.ts'
import type { Control } from './control.ts'
import { isActive } from './posture-file.ts'

export const openRestriction = (execution: ExecutionControl): Control => ({
  aspect: 'restriction',
  needsContact: false,
  isSlow: true,
  lack: async () => (await execution.obstacle())?.detail ?? null,
  apply: (document) => execution.apply(isActive(document)),
  difference: (document) => execution.difference(isActive(document)),
  watch: (changed) => execution.watch(changed),
  describe: (document) => ({
    state: isActive(document) ? 'restricted to programs that its packages have installed' : 'not restricted',
    details: [],
  }),
})
