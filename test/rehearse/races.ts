/**
 * The races of `docs/rehearse.md` that take more than one call, each made as the page says. How each ends is what `cancel.md` 7
 * and 9 say, never what was seen.
 */
import assert from 'node:assert/strict'
import { until } from '../end-to-end/program.ts'
import type { Playbook, Refused } from './playbook.ts'

/** For rehearsals at a speed of 100. */
export const races: Readonly<Record<string, (playbook: Playbook) => Promise<void>>> = {
  'given up, and the device comes back having done it: an alarm, and what was said stays': async (
    playbook,
  ) => {
    const action = await playbook.respond('offline-running=6000')
    await playbook.in(action, 'running')
    await playbook.cancelled(action)
    const end = await playbook.over(action)
    assert.deepEqual([end.status, end.countermand.cancel?.state], ['TimeOut', 'unconfirmed'])
    const late = await playbook.when(
      action,
      'told of late',
      ({ countermand }) => countermand.lateOutcome !== null,
    )
    assert.deepEqual([late.status, late.countermand.lateOutcome], ['TimeOut', 'succeeded'])
    // That nobody confirmed the cancel was one; that it was done nevertheless is another.
    assert.deepEqual(await playbook.alarms(action), ['action.cancel_unconfirmed', 'action.late_result'])
  },

  'cancelled before it was delivered: at once, and never offered': async (playbook) => {
    const notBefore = new Date(Date.now() + 3_600_000).toISOString()
    const action = await playbook.respond('nothing', { countermand: { notBefore } })
    const { status, countermand } = await playbook.cancelled(action)
    assert.deepEqual([status, countermand.proof], ['Cancelled', 'never_offered'])
  },

  'never offered, since its device is away: at once, without the device': async (playbook) => {
    const first = await playbook.respond('offline=2000')
    await playbook.in(first, 'offered')
    const second = await playbook.ask('collectInvestigationPackage', 'nothing')
    const { status, countermand } = await playbook.cancelled(second)
    assert.deepEqual([status, countermand.proof], ['Cancelled', 'never_offered'])
  },

  'the same request again is the same one, also once it is Cancelled': async (playbook) => {
    const action = await playbook.respond('offline=500')
    await playbook.in(action, 'offered')
    for (const { status, cancellationRequestor } of [
      await playbook.cancelled(action),
      await playbook.cancelled(action),
    ])
      assert.deepEqual([status, cancellationRequestor], ['Pending', 'first application'])
    const end = await playbook.over(action)
    assert.deepEqual([end.status, end.countermand.proof], ['Cancelled', 'refused_start'])
    const again = await playbook.cancelled(action)
    assert.deepEqual([again.status, again.countermand.version], ['Cancelled', end.countermand.version])
  },

  'another request while one waits: the first stands, both are kept, and one more after the end is refused':
    async (playbook) => {
      const action = await playbook.respond('offline=500')
      await playbook.in(action, 'offered')
      await playbook.cancelled(action, 'first')
      await playbook.cancelled(action, 'second')
      const end = await playbook.over(action)
      assert.deepEqual([end.status, end.cancellationComment], ['Cancelled', 'first'])
      assert.deepEqual(
        end.countermand.cancel?.requests?.map(({ comment }) => comment),
        ['first', 'second'],
      )
      const { status, body } = await playbook.cancel<Refused>(action, 'third')
      assert.deepEqual([status, body.error.code], [400, 'BadRequest'])
      assert.match(body.error.message, /already Cancelled, by first application at \d{4}-/)
      assert.deepEqual(await playbook.now(action), await playbook.now(end))
    },

  'done and reported: refused, and nothing changes': async (playbook) => {
    const end = await playbook.over(await playbook.respond('nothing'))
    const { status, body } = await playbook.cancel<Refused>(end)
    assert.deepEqual([status, body.error.code], [400, 'BadRequest'])
    assert.deepEqual(await playbook.now(end), end)
  },

  'isolated and reported: refused, and the error names Unisolate': async (playbook) => {
    const end = await playbook.over(await playbook.isolate())
    assert.equal(end.status, 'Succeeded')
    const { status, body } = await playbook.cancel<Refused>(end)
    assert.equal(status, 400)
    assert.match(body.error.message, /Unisolate/)
    assert.equal((await playbook.isolation()).state, 'Isolated')
  },

  'an isolation that is being made: taken back': async (playbook) => {
    const action = await playbook.isolate('slow=300')
    await playbook.in(action, 'offered', 'running')
    await playbook.cancelled(action)
    const end = await playbook.over(action)
    assert.deepEqual([end.status, end.countermand.proof], ['Cancelled', 'reverted'])
    assert.equal((await playbook.isolation()).state, 'NotIsolated')
  },

  'isolated, and isolated once more: a cancel of the second leaves the first': async (playbook) => {
    const first = await playbook.over(await playbook.isolate())
    const second = await playbook.isolate('too-late=1000')
    await playbook.in(second, 'running')
    await playbook.cancelled(second)
    assert.equal((await playbook.over(second)).status, 'Cancelled')
    const { state, actionId, confirmed } = await playbook.isolation()
    assert.deepEqual([state, actionId, confirmed], ['Isolated', first.id, true])
  },

  'an isolation and its opposite: the first is superseded, and names the second': async (playbook) => {
    const first = await playbook.isolate('offline=500')
    await playbook.in(first, 'offered', 'running')
    const second = await playbook.ask('unisolate', 'nothing')
    const end = await playbook.over(first)
    assert.equal(end.status, 'Cancelled')
    assert.deepEqual(
      [end.countermand.reason, end.countermand.cancel?.supersededBy],
      ['superseded', second.id],
    )
    assert.equal((await playbook.over(second)).status, 'Succeeded')
    assert.equal((await playbook.isolation()).state, 'NotIsolated')
  },

  'a release that is taken back: the isolation shows through again': async (playbook) => {
    const first = await playbook.over(await playbook.isolate())
    const second = await playbook.ask('unisolate', 'offline=500')
    await playbook.in(second, 'offered')
    await playbook.cancelled(second)
    const end = await playbook.over(second)
    assert.deepEqual([end.status, end.countermand.proof], ['Cancelled', 'reverted'])
    const { state, actionId, confirmed } = await playbook.isolation()
    assert.deepEqual([state, actionId, confirmed], ['Isolated', first.id, true])
  },

  'an offboarding: taken back before its commit point, and never after': async (playbook) => {
    const first = await playbook.ask('offboard', 'offline=500')
    await playbook.in(first, 'offered')
    await playbook.cancelled(first)
    const end = await playbook.over(first)
    assert.equal(end.status, 'Cancelled')
    assert.equal((await playbook.over(await playbook.respond('nothing'))).status, 'Succeeded')
    const second = await playbook.over(await playbook.ask('offboard', 'nothing'))
    assert.equal(second.status, 'Succeeded')
    assert.equal((await playbook.cancel(second)).status, 400)
  },

  'a cancel waits for a silent device: somebody may ask for the same anew': async (playbook) => {
    const first = await playbook.respond('offline-running=200')
    await playbook.in(first, 'running')
    await playbook.cancelled(first)
    const second = await playbook.respond('nothing')
    const end = await playbook.over(first)
    assert.deepEqual([end.status, end.countermand.proof], ['Cancelled', 'stopped'])
    assert.equal((await playbook.over(second)).status, 'Succeeded')
  },
}

/** Two minutes of silence are the server's own, and not the rehearsal's: at a speed of 3 a script runs longer. */
export async function signFor(playbook: Playbook): Promise<void> {
  const action = await playbook.respond('offline-running=380')
  await playbook.in(action, 'running')
  await playbook.cancelled(action)
  const force = { countermand: { force: true, attest: 'the disk is in my hands' } }
  const { status, body } = await playbook.cancel<Refused>(action, 'now', force)
  assert.deepEqual([status, body.error.code], [403, 'DisallowedOperation'])
  const isTaken = async (): Promise<boolean> => (await playbook.cancel(action, 'now', force)).status === 200
  await until('two minutes of silence', isTaken, { withinMs: 150_000, everyMs: 1_000 })
  const end = await playbook.now(action)
  assert.deepEqual([end.status, end.countermand.proof], ['Cancelled', 'attested'])
  const late = await playbook.late(action)
  assert.deepEqual([late.status, late.countermand.proof], ['Cancelled', 'attested'])
  assert.equal(late.countermand.lateOutcome, 'stopped')
}
