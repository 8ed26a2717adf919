/** An offboarding on its device, step by step (`docs/protocol.md`): what stands, what is told, and from where there is no way back. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { setTimeout as pause } from 'node:timers/promises'
import { describe, test } from 'vitest'
import { listHeld } from '../orders.ts'
import { Machine, inFolder, newId, offerOf, until } from '../testing/fakes.ts'
import { openParts, type Parts, type PartsOptions } from '../testing/parts.ts'
import { free, full } from '../testing/posture.ts'
import {
  aSecondAgo,
  assertStands,
  fileOf,
  kernelOf,
  offboarding,
  over,
  shortOf,
  told,
  waiting,
  withTrial,
} from '../testing/offboarding.ts'

describe('an offboarding', () => {
  test('takes off what stands, commits by leave that was asked for after that, and is over once it is heard', () =>
    withTrial(async (trial) => {
      const { machine, parts, id, document } = trial
      await waiting(trial)
      await pause(20)
      assert.deepEqual(told(trial), ['started'])
      assert.equal((await parts.journal.find(id))?.committed, null)
      const report = { taken: 1, stands: 0, action: null, type: 'None' }
      assert.deepEqual(parts.posture.report(), report)

      // What a reply says of how to stand is not made meanwhile.
      await parts.order({ starts: [id], postures: { isolation: document } })
      await parts.outcome(id)
      assert.deepEqual(told(trial), ['started', 'finished succeeded'])
      assert.equal(machine.firewall.kernel, null)
      assert.equal(existsSync(fileOf(trial)), false, 'there is something to put back')

      assert.equal(await over(trial), null, 'nobody has heard')
      await parts.order({ acknowledged: 99, finals: [id], postures: { isolation: document } })
      assert.equal(await over(trial), id)
      assert.notEqual(await parts.journal.find(id), null, 'it is kept')
      assert.equal(machine.firewall.kernel, null)
    }))

  test('is over where its key is not taken any more, once all of it is told', () =>
    withTrial(async (trial) => {
      const { parts, id } = trial
      await waiting(trial)
      assert.equal(await over(trial, true), null)
      await parts.order({ starts: [id] })
      await parts.outcome(id)
      await until('nobody to be at it', () => !parts.runner.holds(id))
      assert.equal(await over(trial, true), id)
    }))

  test('waits for what else runs, and nothing else is begun meanwhile', () =>
    withTrial(async (trial) => {
      const { machine, parts, id, document } = trial
      const [script, later] = [newId(), newId()]
      await parts.start(script)
      await parts.order({ offers: [offboarding(id)], starts: [script] }, aSecondAgo)
      await until('it to have begun', () => told(trial).length > 0)
      await parts.order({ offers: [offerOf(later)], starts: [script, id] }, aSecondAgo)
      await pause(150)
      assert.deepEqual(machine.firewall.kernel, kernelOf(document))
      assert.equal(machine.starts(later), 0)

      await machine.exit(script, 0)
      await parts.outcome(script)
      await until('what stands to be off', () => machine.firewall.kernel === null)
      await parts.order({ cancels: [id] })
      await parts.outcome(id)
      await parts.order({ starts: [later] })
      await until('the other to run', () => machine.isAlive(later))
      await machine.exit(later, 0)
      await parts.outcome(later)
    }))

  test('of a host whose kernel does not let go fails, and the host stands as it did', () =>
    withTrial(async (trial) => {
      const { machine, parts, id } = trial
      const { firewall } = machine
      firewall.failing = 1
      firewall.fails = (barrier) => barrier === null
      await parts.order({ offers: [offboarding(id)] })
      const outcome = await parts.outcome(id)
      assert.deepEqual(shortOf([outcome]), ['finished failed'])
      assert.match(JSON.stringify(outcome), /the kernel says no/)
      await assertStands(trial)
    }))

  test('that gets no leave ends by its limit, and the host stands as it did', () =>
    withTrial(async (trial) => {
      const { parts, id } = trial
      await parts.order({ offers: [offboarding(id, 300)] }, aSecondAgo)
      assert.deepEqual(shortOf([await parts.outcome(id)]), ['finished timed_out'])
      await assertStands(trial)
    }))

  test('that nobody waits for any more is not gone through with', () =>
    withTrial(async (trial) => {
      await waiting(trial)
      await trial.parts.order({ acknowledged: 99, finals: [trial.id] })
      assert.deepEqual(shortOf([await trial.parts.outcome(trial.id)]), ['finished failed'])
      await assertStands(trial)
    }))

  test('whose commit the disk does not take is tried again', () => {
    let failures = 0
    const wrap: PartsOptions['wrap'] = (part, name) =>
      name === 'journal'
        ? Object.assign(part, { commit: failing(Reflect.get(part, 'commit') as Parts['journal']['commit']) })
        : part
    const failing =
      (commit: Parts['journal']['commit']): Parts['journal']['commit'] =>
      async (...given) => {
        failures += 1
        if (failures > 1) return commit(...given)
        throw Object.assign(new Error('write'), { code: 'ENOSPC' })
      }
    return withTrial(
      async (trial) => {
        const { parts, id } = trial
        await waiting(trial)
        await until('an end', async () => {
          await parts.order({ starts: [id] })
          return (await parts.journal.find(id))?.outcome
        })
        assert.equal(failures, 2)
        assert.deepEqual(shortOf([await parts.outcome(id)]), ['finished succeeded'])
      },
      { wrap },
    )
  })

  test('of an earlier incarnation binds nobody, and is not told again under the new key', () =>
    withTrial(async (trial) => {
      const { folder, machine, parts, id } = trial
      await waiting(trial)
      await parts.order({ starts: [id] })
      await parts.outcome(id)
      await parts.posture.close()
      const next = await openParts(folder, machine, { key: 'N'.repeat(43) })
      assert.equal(await over({ parts: next }, true), null)
      assert.deepEqual(await listHeld(next.journal), [])
      await next.order({ postures: { isolation: full(7) } })
      assert.notEqual(machine.firewall.kernel, null, 'it can be isolated')
      await next.posture.close()
    }))
})

describe('a cancel of an offboarding', () => {
  test('before it has begun: refused_start', () =>
    withTrial(async (trial) => {
      const { parts, id } = trial
      await parts.order({ offers: [offboarding(id)] }, null)
      await parts.order({ cancels: [id] })
      assert.deepEqual(shortOf([await parts.outcome(id)]), ['refused_start'])
      await assertStands(trial)
    }))

  test('before the commit point, and again: reverted, and the host stands as it did', () =>
    withTrial(async (trial) => {
      const { parts, id } = trial
      await waiting(trial)
      await parts.order({ cancels: [id] })
      await parts.order({ cancels: [id], starts: [id] })
      await parts.outcome(id)
      assert.deepEqual(told(trial), ['started', 'cancel_acknowledged', 'reverted'])
      await assertStands(trial)
    }))

  test('says nothing of an end before the kernel has it again', () =>
    withTrial(async (trial) => {
      const { machine, parts, id } = trial
      await waiting(trial)
      machine.firewall.failing = 2
      await parts.order({ cancels: [id] })
      await pause(50)
      assert.deepEqual(told(trial), ['started', 'cancel_acknowledged'])
      await until('the end', async () => {
        await parts.posture.tick()
        machine.seconds += 1
        return told(trial).includes('reverted')
      })
      await assertStands(trial)
    }))

  test('where nothing stood: stopped', () =>
    inFolder(async (folder) => {
      const [machine, id] = [new Machine(), newId()]
      const parts = await openParts(folder, machine)
      await parts.order({ offers: [offboarding(id)] }, aSecondAgo)
      await until('it to have begun', () => parts.told(id).length > 0)
      await parts.order({ cancels: [id] })
      assert.deepEqual(shortOf([await parts.outcome(id)]), ['stopped'])
      await parts.posture.close()
    }))

  test('after the commit point: it cannot be stopped, said once, and succeeds', () =>
    withTrial(async (trial) => {
      const { machine, parts, id } = trial
      await waiting(trial)
      const held = Promise.withResolvers<void>()
      machine.firewall.before = () => held.promise
      await parts.order({ starts: [id] })
      await until('the commit', async () => (await parts.journal.find(id))?.committed)
      await parts.order({ cancels: [id] })
      await parts.order({ cancels: [id] })
      held.resolve()
      await parts.outcome(id)
      assert.deepEqual(told(trial), ['started', 'cannot_stop', 'finished succeeded'])
      assert.equal(machine.firewall.kernel, null)
      await parts.order({ cancels: [id] })
      assert.equal(told(trial).filter((kind) => kind === 'cannot_stop').length, 1)
    }))

  test(
    'against the commit, at every distance: one of them wins, and everything says so',
    { timeout: 60_000 },
    async () => {
      const seen = new Set<string>()
      for (let distance = 0; distance < 24; distance += 1) {
        await withTrial(async (trial) => {
          const { machine, parts, id } = trial
          await waiting(trial)
          const commit = parts.order({ starts: [id] })
          await pause(distance / 4)
          await Promise.all([commit, parts.order({ cancels: [id] })])
          const end = shortOf([await parts.outcome(id)])[0] ?? ''
          seen.add(end)
          const record = await parts.journal.find(id)
          const isCommitted = end === 'finished succeeded'
          assert.equal(record?.committed !== null, isCommitted, end)
          assert.equal(record?.cancelledAt === null, isCommitted, end)
          if (isCommitted) assert.equal(machine.firewall.kernel, null)
          else await assertStands(trial)
          assert.equal(existsSync(fileOf(trial)), !isCommitted)
        })
      }
      assert.deepEqual(
        [...seen].filter((end) => !['finished succeeded', 'reverted'].includes(end)),
        [],
      )
    },
  )
})

test('a document that frees a host is taken as any other after a cancel', () =>
  withTrial(async (trial) => {
    const { machine, parts, id } = trial
    await waiting(trial)
    await parts.order({ cancels: [id] })
    await parts.outcome(id)
    await assertStands(trial)
    await parts.order({ postures: { isolation: free(2) } })
    assert.equal(machine.firewall.kernel, null)
  }))
