/**
 * A seam for tests: moments at which this server can be told to die as by `kill -9`, whichever thread comes by, so that what a
 * crash leaves behind is tried at each of them (`npm run chaos`). COUNTERMAND_KILL_AT=NAME arms one, NAME:N its Nth time;
 * unarmed, each costs a comparison.
 */
import { writeSync } from 'node:fs'

export const killPoints = {
  'cancel-received': 'A cancel has been asked for, and is nowhere yet.',
  'cancel-committed': 'A cancel is on disk; whoever asked has no answer.',
  'issue-committed': 'A new action is on disk; whoever asked has no answer.',
  'statement-received': 'A statement has come, and nothing of it has been taken.',
  'statement-committed': 'A statement and its orders are on disk; the device has no reply.',
  'batch-uncommitted': 'Rows of a batch are written, and the batch is not committed.',
  'upload-stored': 'A library file is on disk and in its row; whoever brought it has no answer.',
  'result-stored': 'The result of an action is on disk; the device that brought it has no answer.',
  'enrolment-committed': 'A device is enrolled; it has no answer.',
} as const satisfies Readonly<Record<string, string>>

export type KillPoint = keyof typeof killPoints

/** Work that is on disk and not answered: its commit is a point. */
const commits: Readonly<Record<string, KillPoint>> = {
  requestCancel: 'cancel-committed',
  issueLiveResponse: 'issue-committed',
  takeStatement: 'statement-committed',
  enrol: 'enrolment-committed',
}

/** Of the thread, like the environment that it comes from: to hand it to everybody would make it part of the design. */
let armed: string | null = null
let timesLeft = 0

/** Takes the value of COUNTERMAND_KILL_AT. @throws Error for a name that there is not. */
export function armKillPoint(text: string | undefined): void {
  if (text === undefined || text === '') return
  const [, name = '', times = '1'] = /^([a-z-]+)(?::([1-9]\d{0,5}))?$/.exec(text) ?? []
  if (!Object.hasOwn(killPoints, name)) {
    const names = Object.keys(killPoints).join(', ')
    throw new Error(`COUNTERMAND_KILL_AT takes NAME or NAME:N with NAME one of ${names}; it is ${text}`)
  }
  armed = name
  timesLeft = Number(times)
}

/** Dies here and now, if it was told to. */
export function killPoint(name: KillPoint): void {
  if (name !== armed) return
  timesLeft -= 1
  if (timesLeft > 0) return
  writeSync(2, `killed at ${name}\n`)
  process.kill(process.pid, 'SIGKILL')
}

/** `work` has been committed, and nobody has been told. */
export function killPointAfter(work: string): void {
  if (armed === null) return
  const name = commits[work]
  if (name !== undefined) killPoint(name)
}
