import type { alerts } from '@countermand/contract'
import type { Handlers } from './operation.ts'
import { contextOf } from './wire.ts'

/** Whatever is asked of nothing, the answer is nothing: filters are not looked at (`wire.md` 18). */
const none = ({ base, query }: { readonly base: string; readonly query: URLSearchParams }) =>
  Promise.resolve({
    '@odata.context': contextOf(base, 'Alerts'),
    ...(query.get('$count') === 'true' && { '@odata.count': 0 }),
    value: [],
  })

export const alertHandlers: Handlers<typeof alerts> = {
  listAlerts: none,
  countAlerts: () => Promise.resolve(0),
  listMachineAlerts: none,
  countMachineAlerts: () => Promise.resolve(0),
}
