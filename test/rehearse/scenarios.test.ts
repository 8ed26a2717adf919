/**
 * Each scenario of a rehearsal, by a word in a comment, and each race, through the public API only. How each ends is what `cancel.md`
 * 7 and `docs/rehearse.md` say, never what was seen.
 */
import assert from 'node:assert/strict'
import { afterAll, afterEach, beforeAll, describe, test } from 'vitest'
import type { MachineAction } from '@countermand/contract'
import { until } from '../end-to-end/program.ts'
import { hasItsTurn } from '../turns.ts'
import { Playbook } from './playbook.ts'
import { races, signFor } from './races.ts'
import { openStage, unlimited, uploadScript, type Stage } from './stage.ts'

const script = { Commands: [{ type: 'RunScript', params: [{ key: 'ScriptName', value: 'run.sh' }] }] }
const files = {
  Commands: [
    { type: 'PutFile', params: [{ key: 'FileName', value: 'run.sh' }] },
    { type: 'RunScript', params: [{ key: 'ScriptName', value: 'run.sh' }] },
  ],
}
type What = readonly [tail: string, body: object]
const response: What = ['runliveresponse', script]
const put: What = ['runliveresponse', files]
const isolate: What = ['isolate', { IsolationType: 'Full' }]
const collect: What = ['collectInvestigationPackage', {}]
const restrict: What = ['restrictCodeExecution', {}]
const quarantine: What = ['StopAndQuarantineFile', { Sha1: 'a'.repeat(40) }]
const offboard: What = ['offboard', {}]
const scan: What = ['runAntiVirusScan', { ScanType: 'Quick' }]

type When = (action: MachineAction) => boolean
const phase =
  (...phases: readonly string[]): When =>
  ({ countermand }) =>
    phases.includes(countermand.phase)

interface Case {
  readonly comment: string
  readonly what: What
  /** When a cancel is asked for; null for none. */
  readonly cancel: When | null
  readonly status: string
  readonly proof?: string
  readonly state?: string
  readonly reason?: string
}

const cases: readonly Case[] = [
  { comment: 'nothing', what: response, cancel: null, status: 'Succeeded' },
  { comment: 'nothing', what: collect, cancel: null, status: 'Succeeded' },
  { comment: 'nothing', what: scan, cancel: null, status: 'Succeeded' },
  { comment: 'nothing', what: isolate, cancel: null, status: 'Succeeded' },
  { comment: 'nothing', what: restrict, cancel: null, status: 'Succeeded' },
  { comment: 'fails', what: restrict, cancel: null, status: 'Failed' },
  { comment: 'nothing', what: quarantine, cancel: null, status: 'Succeeded' },
  { comment: 'nothing', what: offboard, cancel: null, status: 'Succeeded' },
  {
    comment: 'slow=3000',
    what: response,
    cancel: phase('offered', 'accepted'),
    status: 'Cancelled',
    proof: 'refused_start',
  },
  { comment: 'slow=100', what: response, cancel: null, status: 'Succeeded' },
  { comment: 'fails', what: response, cancel: null, status: 'Failed' },
  { comment: 'fails', what: isolate, cancel: null, status: 'Failed' },
  { comment: 'times-out', what: response, cancel: null, status: 'TimeOut', reason: 'run_limit' },
  { comment: 'times-out', what: response, cancel: phase('running'), status: 'Cancelled', proof: 'stopped' },
  { comment: 'offline=600', what: response, cancel: null, status: 'Succeeded' },
  {
    comment: 'offline=300',
    what: response,
    cancel: phase('offered'),
    status: 'Cancelled',
    proof: 'refused_start',
  },
  {
    comment: 'offline-running=200',
    what: response,
    cancel: phase('running'),
    status: 'Cancelled',
    proof: 'stopped',
  },
  {
    comment: 'never-returns',
    what: response,
    cancel: phase('running'),
    status: 'TimeOut',
    state: 'unconfirmed',
  },
  {
    comment: 'too-late=1000',
    what: response,
    cancel: phase('running'),
    status: 'Succeeded',
    state: 'too_late',
  },
  {
    comment: 'too-late=1000',
    what: isolate,
    cancel: phase('running'),
    status: 'Cancelled',
    proof: 'reverted',
  },
  {
    comment: 'just-ended',
    what: response,
    cancel: phase('running'),
    status: 'Succeeded',
    state: 'too_late',
  },
  { comment: 'refuses', what: response, cancel: phase('running'), status: 'Succeeded', state: 'refused' },
  {
    comment: 'lost-offer=1000',
    what: response,
    cancel: phase('offered'),
    status: 'Cancelled',
    proof: 'not_received',
  },
  {
    comment: 'unkillable=500',
    what: response,
    cancel: phase('running'),
    status: 'Cancelled',
    proof: 'stopped',
  },
  { comment: 'undo-fails', what: put, cancel: phase('running'), status: 'Failed', state: 'confirmed' },
  { comment: 'restarts', what: response, cancel: null, status: 'Succeeded' },
  { comment: 'reboots', what: response, cancel: null, status: 'Failed' },
  { comment: 'clone', what: response, cancel: null, status: 'TimeOut', reason: 'device_reenrolled' },
  { comment: 'reinstalled', what: response, cancel: null, status: 'TimeOut', reason: 'device_reenrolled' },
  {
    comment: 'flaky-network=200',
    what: response,
    cancel: phase('running'),
    status: 'Cancelled',
    proof: 'stopped',
  },
]

const timeout = 300_000
const names = Object.keys(races)
const nameAt = (index: number): string => `ws-${String(index + 1).padStart(4, '0')}`

describe('a rehearsal', { timeout }, () => {
  let stage: Stage
  beforeAll(async () => {
    stage = await openStage(cases.length + names.length, ['--steady', '--speed', '100'], unlimited)
    await uploadScript(stage)
  }, timeout)
  afterEach(({ task }) => {
    if (task.result?.state === 'fail') console.log(stage?.program.output().slice(-6000))
  })
  afterAll(async () => stage?.close(), 60_000)

  // What takes minutes, first.
  test
    .runIf(hasItsTurn(0, 3))
    .concurrent(
      'signed for, and back with it running: it is stopped, and what was said stays',
      { timeout },
      () => withOne('3', async (playbook) => signFor(playbook)),
    )

  test.concurrent('the server dies after it took a cancel: it is carried out as without', { timeout }, () =>
    withOne('100', async (playbook, { program }) => {
      const action = await playbook.respond('offline=3000')
      await playbook.in(action, 'offered')
      assert.equal((await playbook.cancelled(action)).status, 'Pending')
      await program.leave()
      program.start()
      const end = await playbook.over(action)
      assert.deepEqual([end.status, end.countermand.proof], ['Cancelled', 'refused_start'])
    }),
  )

  test.concurrent.each(names.map((race, index) => ({ race, name: nameAt(cases.length + index) })))(
    '$race',
    { timeout },
    async ({ race, name }) => races[race]?.(new Playbook(stage, name)),
  )

  test.concurrent.each(cases.map((each, index) => ({ ...each, name: nameAt(index) })))(
    '$comment, $what.0; $status',
    { timeout },
    async ({ name, comment, what: [tail, body], cancel, ...ends }) => {
      const { api } = stage
      const { id } = await stage.issue(name, tail, { ...body, Comment: `rehearse ${comment}` })
      if (cancel !== null) {
        await api.untilAction(id, 'the moment to cancel', cancel)
        const answer = await api.cancel(id)
        assert.equal(answer.status, 200, JSON.stringify(answer.action))
      }
      const { status, countermand } = await until(
        `${comment} to be over`,
        async () => {
          const now = await api.action(id)
          return ['Pending', 'InProgress'].includes(now.status) ? null : now
        },
        { withinMs: 120_000, everyMs: 200 },
      )
      const found = {
        status,
        ...(ends.proof !== undefined && { proof: countermand.proof }),
        ...(ends.state !== undefined && { state: countermand.cancel?.state }),
        ...(ends.reason !== undefined && { reason: countermand.reason }),
      }
      assert.deepEqual(found, ends, JSON.stringify(countermand))
    },
  )
})

/** A rehearsal of its own, of one device. */
async function withOne(
  speed: string,
  run: (playbook: Playbook, stage: Stage) => Promise<void>,
): Promise<void> {
  const stage = await openStage(1, ['--steady', '--speed', speed], unlimited)
  try {
    await uploadScript(stage)
    await run(new Playbook(stage, nameAt(0)), stage)
  } finally {
    await stage.close()
  }
}
