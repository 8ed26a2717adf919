/** Faults in events and chains, planted by somebody who owns the database; each is named as what it is. */
import { calm, eventAt, open, planted, type Planted } from './testing/planted.ts'
import type { Copy } from './testing/copies.ts'
import type { Lives } from './testing/lives.ts'

const changeEvent = (column: string, sequence: number) => (copy: Copy, given: Lives) =>
  copy.run(`update events set ${column} where chain = ? and sequence = ?`, calm(given), sequence)

const events: readonly Planted[] = [
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
]

const tails: readonly Planted[] = [
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
]

const histories: readonly Planted[] = [
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
]

planted({ 'an event': events, 'a tail': tails, 'a history': histories })
