import assert from 'node:assert/strict'
import { test } from 'vitest'
import { atOnce, type Action, type ActionEvent, type Order } from './action-shape.ts'
import { advance, isOpen, isOutstanding, issue, openPhases, ownerOf } from './action.ts'
import { recordOf } from './history.ts'
import { cancelledAt, statusOf } from './status.ts'
import { Refusal } from './errors.ts'

const hour = 3_600_000
const at = new Date('2026-02-03T04:05:06Z')
const later = (ms: number): Date => new Date(at.getTime() + ms)

const order = (reversible: boolean): Order => ({
  id: '01900000-0000-7000-8000-000000000000',
  type: 'LiveResponse',
  machineId: 'a'.repeat(40),
  computerDnsName: 'ws-1',
  requestor: 'ann',
  comment: 'case 1',
  externalId: null,
  scope: null,
  reversible,
  ...atOnce,
  runLimitMs: 10 * 60_000,
  parameters: { commands: [] },
  createdAt: at,
})
const queued = issue(order(false), [])
const cancelBy = (by: string, comment: string | null = 'mistake'): ActionEvent => ({
  kind: 'cancel_requested',
  by,
  comment,
  reason: 'user',
})
const after = (start: Action, ...events: readonly ActionEvent[]): Action =>
  events.reduce((action, event) => advance(action, event, at), start)

const offered = after(queued, { kind: 'offered' })
const accepted = after(offered, { kind: 'accepted' })
const running = after(accepted, { kind: 'started', commands: [] })
const settling = after(running, { kind: 'ended', commands: [] })
const stopped: ActionEvent = { kind: 'stopped', proof: 'stopped', residues: [], commands: [] }
const succeeded: ActionEvent = { kind: 'finished', outcome: 'succeeded', detail: null, commands: [] }

/** Every event there is, with the words that lead to different ends. */
const everyEvent: readonly ActionEvent[] = [
  { kind: 'accepted' },
  { kind: 'started', commands: [] },
  { kind: 'stepped', commands: [] },
  { kind: 'ended', commands: [] },
  succeeded,
  { kind: 'finished', outcome: 'failed', detail: 'x', commands: [] },
  { kind: 'finished', outcome: 'timed_out', detail: 'x', commands: [] },
  { kind: 'cancel_acknowledged' },
  { kind: 'not_received' },
  { kind: 'refused_start', commands: [] },
  stopped,
  { kind: 'stopped', proof: 'swept', residues: ['7 sh'], commands: [] },
  { kind: 'reverted', commands: [] },
  { kind: 'revert_failed', residues: ['a file'], commands: [] },
  { kind: 'cannot_stop', detail: 'moving files' },
  { kind: 'unkillable', detail: 'pid 7' },
  { kind: 'journal_lost' },
  { kind: 'offered' },
  { kind: 'cancel_sent' },
  { kind: 'deadline_passed' },
  { kind: 'device_gone', reason: 'device_reenrolled' },
  { kind: 'device_gone', reason: 'device_removed' },
  cancelBy('ann'),
  cancelBy('bob'),
  { kind: 'forced', by: 'ann', comment: 'it burns' },
]

/** What of a state matters to what can follow: all but version and times. Attempts are counted to two. */
const essence = ({ version: _v, updatedAt: _u, finishedAt: _f, deadlineAt: _d, ...rest }: Action): string =>
  JSON.stringify({ ...rest, attempt: Math.min(rest.attempt, 2) })

/** Walks to every state that events can reach, and shows each step. Times: now, or long after every deadline. */
function walk(start: Action, look: (before: Action, event: ActionEvent, after: Action) => void): number {
  const seen = new Map([[essence(start), start]])
  const open = [start]
  for (let action = open.pop(); action !== undefined; action = open.pop()) {
    for (const event of everyEvent) {
      for (const when of [at, later(24 * 365 * hour)]) {
        const next = tryAdvance(action, event, when)
        if (next === null) continue
        look(action, event, next)
        if (seen.has(essence(next))) continue
        seen.set(essence(next), next)
        open.push(next)
      }
    }
  }
  return seen.size
}

/** Null for a refusal; a caller may be refused, and nobody else. */
function tryAdvance(action: Action, event: ActionEvent, when: Date): Action | null {
  try {
    return advance(action, event, when)
  } catch (thrown) {
    assert.ok(thrown instanceof Refusal, String(thrown))
    assert.ok('by' in event, `only a caller is refused, not ${event.kind}`)
    return null
  }
}

const finality = ({ phase, proof, reason, finishedAt }: Action): object => ({
  phase,
  proof,
  reason,
  finishedAt,
})

for (const reversible of [false, true]) {
  const start = issue(order(reversible), [])

  test(`the walk (${reversible ? 'with' : 'without'} undo) holds every promise in every reachable state`, () => {
    const ends = new Set<string>()
    const states = walk(start, (before, event, next) => {
      const step = `${before.phase}/${before.cancel?.state ?? 'none'} + ${event.kind} → ${next.phase}/${next.cancel?.state ?? 'none'}`
      if (!isOpen(before))
        assert.deepEqual(finality(next), finality(before), `one final state, ever: ${step}`)
      if (before.cancel !== null)
        assert.equal(next.attempt, before.attempt, `nothing is offered after a cancel: ${step}`)
      assert.equal(next.phase === 'cancelled', next.proof !== null, `Cancelled exactly with a proof: ${step}`)
      assert.equal(isOpen(next), next.deadlineAt !== null, `an open state has a deadline: ${step}`)
      assert.equal(isOpen(next), ownerOf(next) !== null, `an open state has an owner: ${step}`)
      assert.equal(isOpen(next), next.finishedAt === null, `an end has a time: ${step}`)
      assert.equal(isOpen(next), next.reason === null, `an end has a reason: ${step}`)
      assert.equal(
        isOpen(next) || !isOutstanding(next.cancel),
        true,
        `no cancel is outstanding after the end: ${step}`,
      )
      if (next !== before)
        assert.equal(next.version, before.version + 1, `each change is one version: ${step}`)
      const never = ['never_offered', 'not_received', 'refused_start']
      if (never.includes(next.proof ?? '') && next.lateOutcome === null)
        assert.equal(next.effect.state, 'none', step)
      if (next.proof === 'never_offered') assert.equal(next.attempt, 0, `never offered means never: ${step}`)
      if (!isOpen(next)) ends.add(`${next.phase}/${next.proof ?? '-'}`)
    })
    assert.ok(states > 100, `the walk reached only ${states} states`)
    const proofs = ['never_offered', 'not_received', 'refused_start', 'attested', 'reverted']
    for (const proof of reversible ? proofs : [...proofs, 'stopped', 'swept']) {
      assert.ok(ends.has(`cancelled/${proof}`), `cancelled/${proof} is reached`)
    }
    for (const end of ['succeeded', 'failed', 'timed_out'])
      assert.ok(ends.has(`${end}/-`), `${end} is reached`)
  })

  test(`from every open state (${reversible ? 'with' : 'without'} undo) time alone leads to an end`, () => {
    walk(start, (_before, _event, next) => {
      if (!isOpen(next)) return
      const end = advance(next, { kind: 'deadline_passed' }, next.deadlineAt ?? at)
      assert.equal(end.phase, 'timed_out')
      const early = new Date((next.deadlineAt?.getTime() ?? 0) - 1)
      assert.equal(advance(next, { kind: 'deadline_passed' }, early), next, 'not a moment before')
    })
  })
}

test('an action that never left the server is cancelled at once', () => {
  const { phase, proof, effect, cancel } = after(queued, cancelBy('ann'))
  assert.deepEqual(
    { phase, proof, effect: effect.state },
    { phase: 'cancelled', proof: 'never_offered', effect: 'none' },
  )
  assert.equal(cancel?.state, 'confirmed')
})

test('a cancel of an offered action ends it only with the device’s word', () => {
  const asked = after(offered, cancelBy('ann'))
  assert.deepEqual([asked.phase, asked.cancel?.state, asked.proof], ['offered', 'requested', null])
  assert.equal(after(asked, { kind: 'not_received' }).proof, 'not_received')
  assert.equal(
    after(asked, { kind: 'accepted' }, { kind: 'refused_start', commands: [] }).proof,
    'refused_start',
  )
  assert.equal(after(asked, { kind: 'offered' }), asked, 'and it is not offered again')
})

test('absence proves not_received only from offered; from accepted on the journal is lost', () => {
  const asked = after(accepted, cancelBy('ann'))
  assert.equal(after(asked, { kind: 'not_received' }), asked)
  const lost = after(asked, { kind: 'journal_lost' })
  assert.deepEqual([lost.phase, lost.reason, lost.effect.state], ['failed', 'journal_lost', 'unknown'])
})

test('a running action is cancelled by stopped or swept, and by nothing weaker', () => {
  const asked = after(running, cancelBy('ann'))
  assert.equal(statusOf(asked), 'InProgress')
  assert.equal(cancelledAt(asked), null, 'a request has no date on the wire')
  const acknowledged = after(asked, { kind: 'cancel_sent' }, { kind: 'cancel_acknowledged' })
  assert.deepEqual([acknowledged.phase, acknowledged.cancel?.state], ['running', 'acknowledged'])
  const end = after(acknowledged, stopped)
  assert.deepEqual(
    [end.phase, end.proof, end.reason, statusOf(end)],
    ['cancelled', 'stopped', 'user', 'Cancelled'],
  )
  assert.deepEqual(cancelledAt(end), at)
})

test('the end of a cancel that a restored server has forgotten is taken, with its proof and an alarm', () => {
  const end = after(running, stopped)
  assert.deepEqual([end.phase, end.proof, end.cancel], ['cancelled', 'stopped', null])
  assert.equal(recordOf(running, end, stopped).at(-1)?.alarm, true)
  const refused = after(accepted, { kind: 'refused_start', commands: [] })
  assert.deepEqual([refused.phase, refused.proof], ['cancelled', 'refused_start'])
})

test('a cancel that comes after the work had ended is too late, and says so', () => {
  const end = after(settling, cancelBy('ann'), succeeded)
  assert.deepEqual(
    [end.phase, end.cancel?.state, end.proof, cancelledAt(end)],
    ['succeeded', 'too_late', null, null],
  )
})

test('a step that cannot be stopped: the work goes on, and its end says refused', () => {
  const end = after(running, cancelBy('ann'), { kind: 'cannot_stop', detail: 'moving files' }, succeeded)
  assert.deepEqual(
    [end.phase, end.cancel?.state, end.cancel?.detail],
    ['succeeded', 'refused', 'moving files'],
  )
})

test('with undo, finished work under a cancel is taken back before it is final', () => {
  const asked = after(
    issue(order(true), []),
    { kind: 'offered' },
    { kind: 'started', commands: [] },
    cancelBy('ann'),
  )
  const done = after(asked, succeeded)
  assert.equal(done.phase, 'settling')
  assert.equal(after(done, { kind: 'reverted', commands: [] }).proof, 'reverted')
  const failed = after(done, { kind: 'revert_failed', residues: ['/tmp/x'], commands: [] })
  assert.deepEqual([failed.phase, failed.effect], ['failed', { state: 'partial', residues: ['/tmp/x'] }])
})

test('a cancel nobody answers ends as TimeOut, unconfirmed, three days after it was asked', () => {
  const asked = advance(running, cancelBy('ann'), later(hour))
  assert.deepEqual(asked.deadlineAt, later(73 * hour))
  const end = advance(asked, { kind: 'deadline_passed' }, later(73 * hour))
  assert.deepEqual(
    [statusOf(end), end.cancel?.state, end.effect.state],
    ['TimeOut', 'unconfirmed', 'unknown'],
  )
  assert.equal(end.cancel?.undelivered, true, 'the device is still to be told')
})

test('deadlines are those of the phases: 3 days, then run limit + 1 day, then 1 day', () => {
  for (const action of [queued, offered, accepted]) assert.deepEqual(action.deadlineAt, later(72 * hour))
  assert.deepEqual(running.deadlineAt, later(24 * hour + 10 * 60_000))
  assert.deepEqual(settling.deadlineAt, later(24 * hour))
})

test('the same request again changes nothing, also once it is cancelled; another one then is refused', () => {
  const asked = after(running, cancelBy('ann'))
  assert.equal(after(asked, cancelBy('ann')), asked)
  assert.equal(after(asked, cancelBy('bob')), asked, 'the first request stays the requestor')
  const end = after(asked, stopped)
  assert.equal(after(end, cancelBy('ann')), end)
  assert.throws(() => after(end, cancelBy('bob')), /Cancelled/)
  assert.throws(() => after(end, cancelBy('ann', 'other words')), /Cancelled/)
  assert.throws(() => after(running, succeeded, cancelBy('ann')), /Succeeded/)
})

test('after force the cancel still goes out, and a contradicting word is kept without a new phase', () => {
  const end = after(running, cancelBy('ann'), { kind: 'forced', by: 'eve', comment: 'it burns' })
  assert.deepEqual([end.proof, end.effect.state, end.cancel?.undelivered], ['attested', 'unknown', true])
  const heard = after(end, succeeded)
  assert.deepEqual(
    [heard.phase, heard.lateOutcome, heard.effect.state],
    ['cancelled', 'succeeded', 'applied'],
  )
  assert.equal(heard.cancel?.undelivered, false)
})

test('news implies what must have come before it', () => {
  assert.equal(after(offered, succeeded).phase, 'succeeded')
  assert.equal(after(offered, { kind: 'started', commands: [] }).phase, 'running')
})

test('a device that is enrolled anew: never offered is cancelled, all else timed out with unknown effect', () => {
  const gone: ActionEvent = { kind: 'device_gone', reason: 'device_reenrolled' }
  assert.equal(after(queued, gone).proof, 'never_offered')
  const end = after(running, gone)
  assert.deepEqual([end.phase, end.reason, end.effect.state], ['timed_out', 'device_reenrolled', 'unknown'])
})

test('phases that are only reserved are open and owned by the server', () => {
  for (const phase of ['awaiting_approval', 'scheduled'] as const) {
    assert.ok(openPhases.includes(phase))
    assert.equal(ownerOf({ phase }), 'server')
    assert.equal(after({ ...queued, phase }, cancelBy('ann')).proof, 'never_offered')
  }
})
