/** What a client asks about how a device stands, and what it is shown of that: the same for each aspect. */
import type { Machine, MachineAction } from '@countermand/contract'
import type { TestDevice } from './device.ts'
import { expectStatus, here, type TestServer } from './server.ts'

type Tail = 'isolate' | 'unisolate' | 'restrictCodeExecution' | 'unrestrictCodeExecution'

/** `at`: the server and the device of the test that runs. */
export function actsOf(at: () => { readonly server: TestServer; readonly device: TestDevice }) {
  const post = async <Body = MachineAction>(path: string, body: object = { Comment: 'case 17' }) =>
    at().server.ask<Body>({
      method: 'POST',
      path,
      body,
      token: await at().server.token('Machine.Isolate', 'Machine.RestrictExecution', 'Countermand.Force'),
    })

  const issue = async (tail: Tail, more: object = {}): Promise<string> =>
    expectStatus(
      201,
      await post(`/api/machines/${at().device.machineId}/${tail}`, { Comment: 'case 17', ...more }),
    ).id

  const cancel = async (id: string, Comment = 'wrong host'): Promise<MachineAction> =>
    expectStatus(200, await post(`/api/machineactions/${id}/cancel`, { Comment }))

  const stateOf = async (id: string) => {
    const { status, countermand } = await at().server.read(id)
    const { phase, proof, effect, cancel: asked } = countermand
    return { status, phase, proof, effect: effect.state, cancel: asked?.state ?? null }
  }

  const machine = async (): Promise<Machine> =>
    expectStatus(
      200,
      await at().server.ask<Machine>({
        method: 'GET',
        path: `/api/machines/${at().device.machineId}`,
        token: await at().server.token('Machine.Read.All'),
      }),
    )

  const listed = async (filter: string): Promise<readonly string[]> => {
    const path = `/api/machines?$filter=${encodeURIComponent(filter)}`
    const token = await at().server.token('Machine.Read.All')
    const answer = await at().server.ask<{ value: Machine[] }>({ method: 'GET', path, token })
    return expectStatus(200, answer).value.map(({ id }) => id)
  }
  const isListed = async (filter: string): Promise<boolean> =>
    (await listed(filter)).includes(at().device.machineId)

  const last = () =>
    at()
      .server.history.events()
      .filter(({ chain }) => chain === at().device.machineId)
      .at(-1)

  return { post, issue, cancel, stateOf, machine, isListed, last }
}

/** The aspects, each in its own words. */
export const kinds = [
  {
    aspect: 'isolation',
    on: 'isolate',
    off: 'unisolate',
    inverse: /Unisolate/,
    /** What only this aspect has, in a document and as it is shown. */
    passage: { passage: { allow: [], confirm: 'revert', server: [here] } },
    shown: { type: 'Full' },
    shownFree: { type: null },
    states: { free: 'NotIsolated', coming: 'Isolating', there: 'Isolated', going: 'Releasing' },
  },
  {
    aspect: 'restriction',
    on: 'restrictCodeExecution',
    off: 'unrestrictCodeExecution',
    inverse: /UnrestrictCodeExecution/,
    passage: {},
    shown: {},
    shownFree: {},
    states: { free: 'NotRestricted', coming: 'Restricting', there: 'Restricted', going: 'Lifting' },
  },
] as const
