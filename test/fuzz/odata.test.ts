/**
 * A million texts: `COUNTERMAND_FUZZ_TEXTS=1000000 npm test -- test/fuzz`. Whatever stands in an option, it is taken or it is
 * an ODataError with a position, and soon.
 */
import assert from 'node:assert/strict'
import { test } from 'vitest'
import { actionFields, deviceFields } from '../../packages/server/src/core/list-fields.ts'
import { checkFilter, checkOrder, checkSelect } from '../../packages/server/src/core/odata/check.ts'
import { evaluate } from '../../packages/server/src/core/odata/evaluate.ts'
import { longestText } from '../../packages/server/src/core/odata/lex.ts'
import { parseFilter, parseOrder, parseSelect } from '../../packages/server/src/core/odata/parse.ts'
import { Refusal } from '../../packages/server/src/core/errors.ts'
import { dice, numbers, oneOf, seed, type Dice } from '../../packages/server/src/testing/dice.ts'

const texts = Number(process.env.COUNTERMAND_FUZZ_TEXTS ?? 5_000)
/** For one text, on a machine that has other things to do; the longest take a few. */
const patienceMs = 500

// prettier-ignore
const pieces = [
  ' ', '+', '\t', '(', ')', ',', '/', ':', "'", "''", "'x'", "'Isolate'", 'and', ' AND ', ' or ', ' not ', 'in', ' eq ',
  ' ne ', 'gt', 'le', 'null', 'true', ' desc', 'any(t: t eq ', 'any()', 'machineTags/', 'startswith(', 'contains(',
  'status', 'machineId', 'creationDateTimeUtc', 'lastSeen', 'rbacGroupId', 'id', 't', '0', '-1.5', '2026-02-03',
  '2026-02-03T04:05:06.1234567Z', '2026-99-99', '+02:00', '7c1f2b0e-93aa-4f0d-8b55-0d6c0f6d1a01', '$it', '@', '.', '-',
  '%', '\\', '"', '\0', '\n', '\ud800', '😀', 'é', '__proto__', 'constructor', ';--', '2018-08-01Z',
] as const

/** Taken as they are, then spoilt. */
const good = [
  "id in ('a','b') AND type in ('Isolate','Unisolate')",
  "(machineId eq 'a' and status eq 'Succeeded') or (machineId eq 'b' and status eq 'Succeeded')",
  'CreationDateTimeUtc ge 2026-01-01T00:00:00Z',
  "machineId eq 'x'and type eq 'y'",
  "machineTags/any(t: t eq 'x') or startswith(computerDnsName,'ws')",
  'creationDateTimeUtc desc, status',
] as const

function text(roll: Dice): string {
  switch (roll(4)) {
    case 0:
      return numbers(roll(30))
        .map(() => oneOf(roll, pieces))
        .join('')
    case 1:
      return spoil(roll, oneOf(roll, good), 1 + roll(4))
    case 2:
      return String.fromCharCode(...numbers(roll(40)).map(() => roll(roll(2) === 0 ? 128 : 65_536)))
    default:
      return roll(200) > 0 ? spoil(roll, oneOf(roll, pieces), 2) : long(roll)
  }
}

/** As long as may be, of one piece or two: what takes too long takes it here. */
function long(roll: Dice): string {
  const piece = oneOf(roll, pieces) + (roll(2) === 0 ? '' : oneOf(roll, pieces))
  return (oneOf(roll, ['', ...good]) + piece.repeat(longestText / piece.length)).slice(
    0,
    longestText - roll(2),
  )
}

function spoil(roll: Dice, from: string, times: number): string {
  let spoilt = from
  for (let time = 0; time < times; time += 1) {
    const at = roll(spoilt.length + 1)
    spoilt = spoilt.slice(0, at) + (roll(2) === 0 ? oneOf(roll, pieces) : '') + spoilt.slice(at + roll(3))
  }
  return spoilt
}

const nothing = () => null

function read(written: string): void {
  for (const fields of [actionFields, deviceFields])
    evaluateAll(() => evaluate(checkFilter(parseFilter(written), fields), nothing), written)
  evaluateAll(() => checkOrder(parseOrder(written), actionFields), written)
  evaluateAll(() => checkSelect(parseSelect(written), ['id', 'status']), written)
}

function evaluateAll(work: () => unknown, written: string): void {
  try {
    work()
  } catch (thrown) {
    const told = `COUNTERMAND_SEED=${seed}: ${JSON.stringify(written)}`
    assert.ok(thrown instanceof Refusal && thrown.code === 'ODataError', `${String(thrown)} ${told}`)
    const position = Number(/\(at position (\d+)\)$/.exec(thrown.message)?.[1])
    assert.ok(position >= 1 && position <= written.length + 1, `${thrown.message} ${told}`)
    assert.ok(thrown.message.length < 1_000, told)
  }
}

test(
  `${texts} texts are each taken, or refused with a position, within ${patienceMs} ms`,
  () => {
    const roll = dice(seed)
    for (let count = 0; count < texts; count += 1) {
      const written = text(roll)
      const began = performance.now()
      read(written)
      const ms = performance.now() - began
      assert.ok(ms < patienceMs, `COUNTERMAND_SEED=${seed}: ${ms} ms for ${JSON.stringify(written)}`)
    }
  },
  120_000 + texts,
)
