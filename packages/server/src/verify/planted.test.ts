/** Faults planted into copies of a real database by somebody who owns it; each is named as what it is. */
import assert from 'node:assert/strict'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { makeKey, outcome, signed, type TestDevice } from '../testing/device.ts'
import { openServer, type TestServer } from '../testing/server.ts'
import type { FaultKind } from './fault.ts'
import { Copy } from './testing/copies.ts'
import { live, type Lives } from './testing/lives.ts'

let server: TestServer
let lives: Lives
beforeAll(async () => {
  server = await openServer({ databaseUrl: null })
  lives = await live(server)
})
afterAll(() => server.close())

interface Planted {
  readonly name: string
  readonly plant: (copy: Copy, lives: Lives) => void | Promise<void>
  /** On whose chain it is found; the calm device's where it is left out. */
  readonly on?: (lives: Lives) => string
  readonly kind: FaultKind
  readonly where: RegExp
  readonly what?: RegExp
}

const calm = ({ calm: { machineId } }: Lives): string => machineId
const open = ({ open: { machineId } }: Lives): string => machineId
const busy = ({ busy: { machineId } }: Lives): string => machineId

function planted(title: string, list: readonly Planted[]): void {
  describe(title, () => {
    for (const { name, plant, on = calm, kind, where, what = /./ } of list) {
      test(name, async () => {
        const copy = new Copy(server)
        try {
          await plant(copy, lives)
          const found = await copy.found()
          assert.deepEqual(
            found.map((fault) => [fault.chain, fault.kind]),
            [[on(lives), kind]],
            JSON.stringify(found, null, 2),
          )
          assert.match(found[0]?.where ?? '', where)
          assert.match(found[0]?.what ?? '', what)
        } finally {
          copy.close()
        }
      })
    }
  })
}

const eventAt = (sequence: number): RegExp => new RegExp(`^events: sequence ${sequence}, row \\d+ \\(`)
const changeEvent = (column: string, sequence: number) => (copy: Copy, given: Lives) =>
  copy.run(`update events set ${column} where chain = ? and sequence = ?`, calm(given), sequence)

test('the database of a whole day holds', async () => {
  const copy = new Copy(server)
  assert.deepEqual(await copy.found(), [])
  copy.close()
})

planted('an event', [
  {
    name: 'with other data is a changed row',
    plant: changeEvent(`data = replace(data, 'case 17', 'case 18')`, 2),
    kind: 'changed row',
    where: eventAt(2),
  },
  {
    name: 'with another time is a changed row',
    plant: changeEvent('at = at + 1', 6),
    kind: 'changed row',
    where: eventAt(6),
  },
  {
    name: 'with another actor is a changed row',
    plant: changeEvent(`actor = 'nobody'`, 11),
    kind: 'changed row',
    where: eventAt(11),
  },
  {
    name: 'with an alarm that only reads the same is a changed row',
    plant: changeEvent('alarm = 2', 6),
    kind: 'changed row',
    where: eventAt(6),
  },
  {
    name: 'with data that only read the same is a changed row',
    plant: changeEvent(`data = replace(data, ':', ': ')`, 6),
    kind: 'changed row',
    where: eventAt(6),
  },
  {
    name: 'with a number that no computer of ours writes is a changed row',
    plant: changeEvent('at = 9007199254740993', 6),
    kind: 'changed row',
    where: eventAt(6),
  },
  {
    name: 'with bytes for a text is a changed row',
    plant: changeEvent(`kind = x'00ff'`, 6),
    kind: 'changed row',
    where: eventAt(6),
  },
  {
    name: 'whose place in its action’s history is another is a changed row',
    plant: changeEvent('before = before - 1', 6),
    kind: 'changed row',
    where: eventAt(6),
  },
  {
    name: 'that was changed with its own digest is rewritten: the next one follows another',
    plant: (copy, given) => {
      const after = copy.all(
        'select n, previous, digest from events where chain = ? and sequence > 7',
        calm(given),
      )
      copy.run('update events set at = at + 1 where chain = ? and sequence = 7', calm(given))
      copy.rehash(calm(given))
      for (const { n, previous, digest } of after) {
        const before = [previous ?? null, digest ?? null, n ?? null]
        copy.run('update events set previous = ?, digest = ? where n = ?', ...before)
      }
    },
    kind: 'rewritten history',
    where: eventAt(8),
    what: /another event 7/,
  },
  {
    name: 'that is taken out of the middle is missing',
    plant: (copy, given) => copy.run('delete from events where chain = ? and sequence = 6', calm(given)),
    kind: 'missing row',
    where: eventAt(7),
    what: /event 6 is missing/,
  },
  {
    name: 'that is taken from the beginning is missing',
    plant: (copy, given) => copy.run('delete from events where chain = ? and sequence = 1', calm(given)),
    kind: 'missing row',
    where: eventAt(2),
  },
  {
    name: 'beyond the head was added',
    plant: (copy, given) =>
      copy.run(
        `update chains set sequence = 13, digest = (select digest from events e where e.chain = chains.chain and e.sequence = 13) where chain = ?`,
        calm(given),
      ),
    kind: 'added row',
    where: /^chains/,
  },
])

planted('a tail', [
  {
    name: 'that is cut off is missed by the head',
    plant: (copy, given) => copy.run('delete from events where chain = ? and sequence > 12', calm(given)),
    kind: 'truncated tail',
    where: /^chains/,
  },
  {
    name: 'that is cut off with the head is missed by the head that the device reported last',
    plant: (copy, given) => copy.cut(calm(given), 4),
    kind: 'truncated tail',
    where: /reported last/,
  },
  {
    name: 'that is cut off with both is missed by the device’s signed words',
    plant: (copy, given) => {
      copy.cut(calm(given), 4)
      copy.report(calm(given))
    },
    kind: 'truncated tail',
    where: /^statements: number \d+, .* signed by the device/,
  },
  {
    name: 'that is cut off with both and all that the device said since is missed by the action',
    plant: (copy, given) => {
      copy.cut(calm(given), 1)
      copy.report(calm(given))
      copy.run(
        `delete from statements where machine_id = ? and seq = (select max(seq) from statements where machine_id = ?)`,
        calm(given),
        calm(given),
      )
      copy.cut(calm(given), 1)
      copy.report(calm(given))
    },
    kind: 'truncated tail',
    where: /^actions/,
  },
])

planted('a history', [
  {
    name: 'that is written anew, digests and head, is not the one that the device reported',
    plant: (copy, given) => {
      copy.run(`update events set data = replace(data, 'case 17', 'case 18') where chain = ?`, calm(given))
      copy.rehash(calm(given))
    },
    kind: 'rewritten history',
    where: /reported last/,
  },
  {
    name: 'that is written anew with the reported head is not the one that the device signed',
    plant: (copy, given) => {
      copy.run(`update events set data = replace(data, 'case 17', 'case 18') where chain = ?`, calm(given))
      copy.rehash(calm(given))
      copy.report(calm(given))
    },
    kind: 'rewritten history',
    where: /^statements: number \d+, .* signed by the device/,
  },
  {
    name: 'whose head alone is another is written anew',
    plant: (copy, given) =>
      copy.run(`update chains set digest = ? where chain = ?`, 'B'.repeat(43), calm(given)),
    kind: 'rewritten history',
    where: /^chains/,
  },
  {
    name: 'that leaves out an event, and is made to fit, is not the one that the device reported',
    plant: (copy, given) => {
      copy.run('delete from events where chain = ? and sequence = 5', calm(given))
      copy.rehash(calm(given))
    },
    kind: 'truncated tail',
    where: /reported last/,
  },
  {
    name: 'of nobody who signs is held against the rules',
    plant: (copy, given) => {
      // The end of the open device's chain, which it has not reported yet.
      copy.append(open(given), {
        kind: 'action.timed_out',
        action: given.running,
        data: { reason: 'run_limit', effect: { state: 'unknown', residues: [] } },
        statement: null,
      })
    },
    on: open,
    kind: 'rewritten history',
    where: eventAt(8),
    what: /nothing is written down/,
  },
])

/** What the open device could say next, and the digest under which it is kept. */
async function further(
  copy: Copy,
  device: TestDevice,
  news: Parameters<TestDevice['tell']>[0],
): Promise<string> {
  const twin = device.copy()
  twin.tell(news)
  return copy.keep(await twin.say())
}

const stop = (id: string, proof: 'stopped' | 'swept' = 'stopped') =>
  ({ kind: 'stopped', action: id, proof, residues: [], commands: [outcome('Failed')] }) as const

/** The event that would follow from it. */
const cancelled = (id: string, statement: string | null) => {
  const said = { commands: [outcome('Failed')], proof: 'stopped', residues: [] }
  const data = { ...said, reason: 'user', effect: { state: 'none', residues: [] }, said: 'stopped' }
  return { kind: 'action.cancelled', action: id, data, statement }
}

planted('a statement', [
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
])

planted('an end that only the device can report', [
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
])

planted('a row', [
  {
    name: 'of an action that says cancelled without an event is changed',
    plant: (copy, given) =>
      copy.run(
        `update actions set phase = 'cancelled', live = 0, deadline_at = null, version = version + 1, state = json_set(state, '$.proof', 'stopped') where id = ?`,
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
    name: 'of an action that is gone is missing',
    plant: (copy, given) => copy.run('delete from actions where id = ?', given.stopped),
    kind: 'missing row',
    where: /^actions/,
  },
  {
    name: 'of an action that nobody requested was added',
    plant: (copy, given) =>
      copy.run(
        `insert into actions select (select max(n) from actions) + 1, 'x', machine_id, type, requestor, created_at, asked, state, phase, version, live, deadline_at, last_event from actions where id = ?`,
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
])
