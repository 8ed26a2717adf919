/** The test of the project: what was taken back does nothing any more, and the device has signed that it is so. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { MachineAction } from '@countermand/contract'
import { compactVerify, importJWK } from 'jose'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { needs } from '../needs.ts'
import { isRunning } from './api.ts'
import { beatingScript, beatsIn, haveAllBeaten, nanoseconds, textOf } from './beats.ts'
import { groupsOf, identityOf, openWorld, processesWith, type World } from './fixture.ts'
import { until } from './program.ts'

const timeout = 90_000

describe.skipIf(!needs('root') || !needs('cgroup2'))('a script that is taken back', { timeout }, () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
  }, timeout)
  afterAll(() => world.close(), timeout)

  /** Starts the script and waits until everything that it has begotten beats. */
  async function startBeating(name: string): Promise<{ action: MachineAction; here: string }> {
    const here = world.scratch(name)
    const action = await world.api.run(world.device.machineId, beatingScript, `${here} word-of-${name}`)
    await until('every descendant to beat three times', () => haveAllBeaten(here))
    await until('the one that stops itself to be stopped', () => isStopped(`stopped ${here}`))
    return { action, here }
  }

  test('not one descendant does anything after the time of the cancel', async () => {
    const { action, here } = await startBeating('nasty')
    const word = 'word-of-nasty'
    const scope = join(groupsOf(world.device.dataFolder) ?? '', action.id)
    assert.ok(existsSync(scope), scope)
    assert.ok(processesWith(word).length >= 7)

    const answer = await world.api.cancel(action.id)
    const { status, countermand, ...end } = await world.api.untilOver(action.id)
    const left = processesWith(word)
    const beats = beatsIn(here)
    await pause(1_000)

    assert.equal(answer.status, 200)
    assert.equal(status, 'Cancelled')
    assert.equal(countermand.proof, 'stopped')
    assert.deepEqual(countermand.effect, { state: 'none', residues: [] })
    assert.equal(end.cancellationComment, 'wrong button')
    const cancelledAt = nanoseconds(end.cancellationDateTimeUtc ?? '')
    assert.deepEqual(
      beats.filter(({ at }) => at > cancelledAt),
      [],
    )
    assert.deepEqual(beatsIn(here), beats, 'nobody has beaten since')
    assert.deepEqual(left, [])
    assert.deepEqual(processesWith(word), [])
    assert.equal(existsSync(scope), false)
  })

  test('what has left the scope, as root can, is killed as well and listed as what remains to be looked at', async () => {
    const here = world.scratch('escape')
    const outside = dirname(groupsOf(world.device.dataFolder) ?? '')
    const runaway = `echo $$ >${outside}/cgroup.procs; : runaway; while [ -d ${here} ]; do echo . >>${here}/beats; sleep 0.1; done`
    const { id } = await world.api.run(world.device.machineId, `sh -c '${runaway}' & wait`)
    await until('the runaway to beat', () => textOf(join(here, 'beats')) !== '')
    await world.api.cancel(id)
    const { status, countermand } = await world.api.untilOver(id)
    const beats = textOf(join(here, 'beats'))
    await pause(500)

    assert.equal(status, 'Cancelled')
    assert.equal(countermand.effect.state, 'partial')
    assert.match(countermand.effect.residues.join(), /killed: \d+ sh -c .*runaway/)
    assert.deepEqual(processesWith(': runaway'), [])
    assert.equal(textOf(join(here, 'beats')), beats)
  })

  test('the device has said so over its own signature, and of this action', async () => {
    const { action } = await startBeating('signed')
    await world.api.cancel(action.id)
    await world.api.untilOver(action.id)

    const events = await world.api.events(action.id)
    const said = events.findLast(({ kind }) => kind === 'action.cancelled')?.statement ?? ''
    const { machineId, key } = identityOf(world.device.dataFolder)
    const publicKey = await importJWK({ kty: key.kty, crv: key.crv, x: key.x }, 'EdDSA')
    const { payload, protectedHeader } = await compactVerify(said, publicKey)
    const statement = JSON.parse(new TextDecoder().decode(payload))

    assert.equal(protectedHeader.typ, 'countermand-statement+jws')
    assert.equal(statement.machineId, machineId)
    const words = statement.news.filter((item: { action: string }) => item.action === action.id)
    const last = words.at(-1)
    assert.deepEqual([last.kind, last.proof, last.residues], ['stopped', 'stopped', []])

    const [header = '', body = '', signature = ''] = said.split('.')
    const changed = body.replace(/^./, (first) => (first === 'e' ? 'f' : 'e'))
    await assert.rejects(compactVerify(`${header}.${changed}.${signature}`, publicKey))
  })

  test('the story is told in order: asked, sent, acknowledged, cancelled', async () => {
    const { action } = await startBeating('told')
    await world.api.cancel(action.id, 'told in order')
    await world.api.untilOver(action.id)

    const kinds = (await world.api.events(action.id)).map(({ kind }) => kind.replace('action.', ''))
    const story = ['requested', 'offered', 'started', 'cancel_requested', 'cancel_acknowledged', 'cancelled']
    // A device that starts before it has spoken again needs no `accepted`: the start says it.
    const may = ['accepted', 'cancel_sent']
    assert.deepEqual(
      kinds.filter((kind) => !may.includes(kind)),
      story,
    )
  })

  test('the same request again has the same answer, another one is refused and says who was first', async () => {
    const { action } = await startBeating('again')
    await world.api.cancel(action.id, 'first')
    const end = await world.api.untilOver(action.id)

    const same = await world.api.cancel(action.id, 'first')
    assert.equal(same.status, 200)
    assert.equal(same.action.cancellationDateTimeUtc, end.cancellationDateTimeUtc)
    const other = await world.api.cancel(action.id, 'second')
    assert.equal(other.status, 400)
    assert.match(JSON.stringify(other.action), /already Cancelled, by /)
  })

  test('a cancel ends its own action and no other: the device runs the next one to its end', async () => {
    const { action } = await startBeating('one')
    await world.api.cancel(action.id)
    const next = await world.api.run(world.device.machineId, 'echo next')
    assert.equal((await world.api.untilOver(next.id)).status, 'Succeeded')
    assert.equal((await world.api.untilOver(action.id)).status, 'Cancelled')
  })

  test('a script that has ended was not taken back: it says so, and the work stays', async () => {
    const action = await world.api.run(world.device.machineId, 'echo done')
    const end = await world.api.untilOver(action.id)
    assert.equal(end.status, 'Succeeded')

    const late = await world.api.cancel(action.id)
    assert.equal(late.status, 400)
    assert.match(JSON.stringify(late.action), /already Succeeded/)
    assert.equal((await world.api.action(action.id)).cancellationDateTimeUtc, null)
  })

  test('cancelled in the very moment of its start, it has never run or runs no more', async () => {
    for (let round = 0; round < 8; round += 1) {
      const here = world.scratch(`moment-${round}`)
      const word = `word-of-moment-${round}-`
      const action = await world.api.run(world.device.machineId, beatingScript, `${here} ${word}`)
      await pause(round * 12)
      await world.api.cancel(action.id)
      const { status, countermand, cancellationDateTimeUtc } = await world.api.untilOver(action.id)
      const beats = beatsIn(here)
      await pause(150)

      assert.equal(status, 'Cancelled', `round ${round}`)
      const proofs = ['never_offered', 'not_received', 'refused_start', 'stopped']
      assert.ok(proofs.includes(countermand.proof ?? ''), countermand.proof ?? 'no proof')
      if (countermand.proof !== 'stopped') assert.deepEqual(beats, [], `round ${round}`)
      const cancelledAt = nanoseconds(cancellationDateTimeUtc ?? '')
      assert.ok(beats.every(({ at }) => at <= cancelledAt))
      assert.deepEqual(beatsIn(here), beats)
      assert.deepEqual(processesWith(word), [])
    }
  })

  test('while it runs it is InProgress, with no word of a cancel', async () => {
    const { action } = await startBeating('plain')
    const now = await world.api.untilAction(action.id, 'runs', isRunning)
    assert.equal(now.cancellationRequestor, null)
    assert.equal(now.cancellationDateTimeUtc, null)
    await world.api.cancel(action.id)
    await world.api.untilOver(action.id)
  })
})

/** A process stopped by SIGSTOP, by the words of its command line. */
function isStopped(words: string): boolean {
  const [pid] = processesWith(words.replaceAll(' ', '\0'))
  return / T /.test(textOf(`/proc/${pid ?? 0}/stat`))
}
