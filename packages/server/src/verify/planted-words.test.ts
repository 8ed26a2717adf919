/** Faults in what devices have said, and in the rows that follow from it, planted by somebody who owns the database. */
import type { News } from '@countermand/contract'
import { makeKey, outcome, signed, type TestDevice } from '../testing/device.ts'
import { busy, calm, eventAt, open, planted, type Planted } from './testing/planted.ts'
import type { Copy } from './testing/copies.ts'

/** What the open device could say next, and the digest under which it is kept. */
async function further(copy: Copy, device: TestDevice, news: News): Promise<string> {
  const twin = device.copy()
  twin.tell(news)
  return copy.keep(await twin.say())
}

const stop = (id: string, proof: 'stopped' | 'swept' = 'stopped'): News => ({
  kind: 'stopped',
  action: id,
  proof,
  residues: [],
  commands: [outcome('Failed')],
})

/** The event that would follow from it. */
const cancelled = (id: string, statement: string | null) => {
  const said = { commands: [outcome('Failed')], proof: 'stopped', residues: [] }
  const data = { ...said, reason: 'user', effect: { state: 'none', residues: [] }, said: 'stopped' }
  return { kind: 'action.cancelled', action: id, data, statement }
}

const statements: readonly Planted[] = [
  {
    name: 'with another text is a changed row',
    plant: (copy, given) =>
      copy.run(`update statements set jws = jws || 'A' where machine_id = ? and seq = 3`, calm(given)),
    kind: 'changed row',
    where: /^statements: number 3/,
  },
  {
    name: 'filed under another number is a changed row',
    plant: (copy, given) =>
      copy.run(`update statements set seq = 99 where machine_id = ? and seq = 3`, calm(given)),
    kind: 'changed row',
    where: /^statements: number 99/,
  },
  {
    name: 'said to have come at another time is a changed row',
    plant: (copy, given) =>
      copy.run(`update statements set at = at + 1 where machine_id = ? and seq = 3`, calm(given)),
    kind: 'changed row',
    where: /^statements: number 3/,
  },
  {
    name: 'that is gone is missing',
    plant: (copy, given) => copy.run(`delete from statements where machine_id = ? and seq = 3`, calm(given)),
    kind: 'missing row',
    where: /^statements/,
  },
  {
    name: 'that no event names is missing when it is gone: the news have a gap',
    plant: (copy, given) => {
      const unnamed = 'digest not in (select statement from events where statement is not null)'
      copy.run(`delete from statements where machine_id = ? and ${unnamed}`, busy(given))
    },
    on: busy,
    kind: 'missing row',
    where: /^statements/,
    what: /news \d+/,
  },
  {
    name: 'swapped with another between two events is a changed row',
    plant: (copy, given) => {
      const [a, b] = copy.all(
        'select n, statement from events where chain = ? and sequence in (3, 5)',
        calm(given),
      )
      copy.run('update events set statement = ? where n = ?', b?.statement ?? null, a?.n ?? null)
      copy.run('update events set statement = ? where n = ?', a?.statement ?? null, b?.n ?? null)
    },
    kind: 'changed row',
    where: eventAt(3),
  },
  {
    name: 'that was made up with another key is forged',
    plant: async (copy, given) => {
      const key = await makeKey()
      const { statement } = given.open.copy().said.at(-1) ?? (await given.open.copy().say())
      const jws = await signed(
        key,
        { ...statement, news: [] },
        { typ: 'countermand-statement+jws', kid: open(given) },
      )
      const digest = copy.keep({ jws, statement })
      copy.append(open(given), cancelled(given.running, digest))
    },
    on: open,
    kind: 'forged statement',
    where: /^statements/,
    what: /no key that this device ever had/,
  },
]

const silence: readonly Planted[] = [
  {
    name: 'that is taken after the device was retired is forged, though the device has signed it',
    plant: async (copy, given) => {
      const { machineId } = given.retired
      const commands = [outcome('Completed')]
      const word: News = {
        kind: 'finished',
        action: given.left,
        outcome: 'succeeded',
        detail: null,
        commands,
      }
      const digest = await further(copy, given.retired, word)
      const data = { said: 'finished', phase: 'timed_out', lateOutcome: 'succeeded', effect: {} }
      copy.append(machineId, { kind: 'action.late_result', action: given.left, data, statement: digest })
    },
    on: ({ retired }) => retired.machineId,
    kind: 'forged statement',
    where: /^statements/,
    what: /the device was retired/,
  },
  {
    name: 'that is taken after the device has left is forged, though the device has signed it',
    plant: async (copy, given) => {
      const { offboarded } = given
      const word: News = { kind: 'drifted', action: given.left, detail: 'gone' }
      const digest = await further(copy, offboarded, word)
      const data = { n: 4, at: '2026-02-03T04:05:07.5Z', action: given.left, detail: 'gone' }
      copy.append(offboarded.machineId, { kind: 'device.drift', action: given.left, data, statement: digest })
    },
    on: ({ offboarded }) => offboarded.machineId,
    kind: 'forged statement',
    where: /^statements/,
    what: /offboarded/,
  },
  {
    name: 'does not make a device leave that says nothing of it',
    plant: async (copy, given) => {
      const digest = await further(copy, given.open, stop(given.running))
      const data = { action: given.running, tokens: 0 }
      copy.append(open(given), { kind: 'device.offboarded', action: given.running, data, statement: digest })
    },
    on: open,
    kind: 'forged statement',
    where: eventAt(8),
    what: /does not say that the device has left/,
  },
  ...['offboarded_at = null', 'offboarded_at = offboarded_at + 1'].map((change): Planted => ({
    name: `is not allowed by a row with ${change}`,
    plant: (copy, { offboarded }) =>
      copy.run(`update devices set ${change} where id = ?`, offboarded.machineId),
    on: ({ offboarded }) => offboarded.machineId,
    kind: 'changed row',
    where: /^devices: its row/,
  })),
  ...['retired_at = null', 'retired_at = retired_at + 1', 'key_revoked_at = 17'].map((change): Planted => ({
    name: `is not allowed by a row with ${change}`,
    plant: (copy, { retired }) => copy.run(`update devices set ${change} where id = ?`, retired.machineId),
    on: ({ retired }) => retired.machineId,
    kind: 'changed row',
    where: /^devices: its row/,
  })),
]

const ends: readonly Planted[] = [
  {
    name: 'without its statement is forged',
    plant: (copy, given) => copy.append(open(given), cancelled(given.running, null)),
    on: open,
    kind: 'forged statement',
    where: eventAt(8),
    what: /names no statement/,
  },
  {
    name: 'by a statement that has been used for earlier events is forged',
    plant: (copy, given) => {
      const { statement } = copy.one(
        'select statement from events where chain = ? and sequence = 4',
        open(given),
      )
      copy.append(open(given), cancelled(given.running, String(statement)))
    },
    on: open,
    kind: 'forged statement',
    where: eventAt(8),
    what: /used again/,
  },
  {
    name: 'by a statement that says it of another action is forged',
    plant: async (copy, given) => {
      const digest = await further(copy, given.open, stop(given.stopped))
      copy.append(open(given), cancelled(given.running, digest))
    },
    on: open,
    kind: 'forged statement',
    where: eventAt(8),
  },
  {
    name: 'with another proof than was signed is forged',
    plant: async (copy, given) => {
      const digest = await further(copy, given.open, stop(given.running, 'swept'))
      copy.append(open(given), cancelled(given.running, digest))
    },
    on: open,
    kind: 'forged statement',
    where: eventAt(8),
  },
  {
    name: 'by another device’s word is forged',
    plant: (copy, given) => {
      const { statement } = copy.one(
        'select statement from events where chain = ? and sequence = 6',
        calm(given),
      )
      copy.append(open(given), cancelled(given.running, String(statement)))
    },
    on: open,
    kind: 'forged statement',
    where: /^statements/,
    what: /the word of device/,
  },
  {
    name: 'that was signed and left out is missing',
    plant: async (copy, given) => void (await further(copy, given.open, stop(given.running))),
    on: open,
    kind: 'missing row',
    where: /^events/,
    what: /no event tells of it/,
  },
  {
    name: 'by a key that the device has given up is forged',
    plant: async (copy, given) => {
      const { id } = copy.one('select id from actions where machine_id = ? order by n desc', busy(given))
      const digest = await further(copy, given.former, stop(String(id)))
      copy.append(busy(given), cancelled(String(id), digest))
    },
    on: busy,
    kind: 'forged statement',
    where: /^statements/,
    what: /a former key/,
  },
]

const rows: readonly Planted[] = [
  {
    name: 'of an action that says cancelled without an event is changed',
    plant: (copy, given) =>
      copy.run(
        `update actions set phase = 'cancelled', maybe_live = 0, look_at = null, version = version + 1, state = json_set(state, '$.proof', 'stopped') where id = ?`,
        given.running,
      ),
    on: open,
    kind: 'changed row',
    where: /^actions/,
    what: /phase is "cancelled", and by its events it is "running"/,
  },
  {
    name: 'of an action with another proof is changed',
    plant: (copy, given) =>
      copy.run(`update actions set state = json_set(state, '$.proof', 'swept') where id = ?`, given.stopped),
    kind: 'changed row',
    where: /^actions/,
    what: /state\.proof is "swept", and by its events it is "stopped"/,
  },
  {
    name: 'of an action that has a proof before its end is changed',
    plant: (copy, given) =>
      copy.run(`update actions set state = json_set(state, '$.proof', 'swept') where id = ?`, given.running),
    on: open,
    kind: 'changed row',
    where: /^actions/,
    what: /state\.proof is "swept", and by its events it is null/,
  },
  {
    name: 'of an action with another script is changed',
    plant: (copy, given) =>
      copy.run(
        `update actions set asked = json_set(asked, '$.parameters.commands[0].scriptName', 'other.sh') where id = ?`,
        given.stopped,
      ),
    kind: 'changed row',
    where: /^actions/,
    what: /parameters/,
  },
  {
    name: 'of an action that does not parse is changed',
    plant: (copy, given) => copy.run(`update actions set state = '{' where id = ?`, given.stopped),
    kind: 'changed row',
    where: /^actions/,
  },
  {
    name: 'of an open action that is in no list any more is changed',
    plant: (copy, given) => copy.run('update actions set maybe_live = 0 where id = ?', given.running),
    on: open,
    kind: 'changed row',
    where: /^actions/,
    what: /not in the list of live actions/,
  },
  {
    name: 'of an open live response that is counted no more is changed',
    plant: (copy, given) => copy.run('update actions set maybe_session = 0 where id = ?', given.waiting),
    on: ({ idle }) => idle.machineId,
    kind: 'changed row',
    where: /^actions/,
    what: /not in the list of open live responses/,
  },
  {
    name: 'of an open action that nobody looks at by its deadline is changed',
    plant: (copy, given) => copy.run('update actions set look_at = look_at * 2 where id = ?', given.running),
    on: open,
    kind: 'changed row',
    where: /^actions/,
    what: /by its deadline/,
  },
  {
    name: 'of an action that is gone is missing',
    plant: (copy, given) => copy.run('delete from actions where id = ?', given.stopped),
    kind: 'missing row',
    where: /^actions/,
  },
  {
    name: 'of an action that nobody requested was added',
    plant: (copy, given) =>
      copy.run(
        `insert into actions select (select max(n) from actions) + 1, 'x', machine_id, type, requestor, created_at, asked, state, phase, version, maybe_live, look_at, last_event, maybe_session from actions where id = ?`,
        given.stopped,
      ),
    kind: 'added row',
    where: /^actions/,
  },
  {
    name: 'of an action whose history ends earlier is changed',
    plant: (copy, given) =>
      copy.run('update actions set last_event = last_event - 1 where id = ?', given.stopped),
    kind: 'changed row',
    where: /^actions/,
  },
  {
    name: 'of a device that is gone is missing',
    plant: (copy, given) => copy.run('delete from devices where id = ?', calm(given)),
    kind: 'missing row',
    where: /^devices/,
  },
  {
    name: 'of a device with another key is changed',
    plant: async (copy, given) => {
      const { open: jwk, thumbprint } = await makeKey()
      copy.run(
        'update devices set public_key = ?, key_thumbprint = ? where id = ?',
        JSON.stringify(jwk),
        thumbprint,
        calm(given),
      )
    },
    kind: 'changed row',
    where: /^devices/,
  },
  {
    name: 'of a device whose news are said not to have come is changed',
    plant: (copy, given) =>
      copy.run(
        `update devices set statement_order = json_set(statement_order, '$.news', 1) where id = ?`,
        calm(given),
      ),
    kind: 'changed row',
    where: /^devices/,
  },
  {
    name: 'of a device with a head that is none is changed',
    plant: (copy, given) => copy.run(`update devices set reported_head = '[]' where id = ?`, calm(given)),
    kind: 'changed row',
    where: /^devices/,
  },
  {
    name: 'of the heads that is gone is missing',
    plant: (copy, given) => copy.run('delete from chains where chain = ?', calm(given)),
    kind: 'missing row',
    where: /^chains/,
  },
]

planted({
  'a statement': statements,
  'word of a device that may not speak': silence,
  'an end that only the device can report': ends,
  'a row': rows,
})
