/**
 * A seam for tests: moments at which this process can be told to die as by `kill -9`, so that what a crash leaves behind is tried
 * at each of them (`npm run chaos`). COUNTERMAND_KILL_AT=NAME arms one, NAME:N its Nth time; unarmed, each costs a comparison.
 */
import { writeSync } from 'node:fs'

export const killPoints = {
  'offer-journalled': 'An offer is on disk, and nobody has taken it up.',
  'scope-made': 'The scope of an action is there, and no verdict says what for.',
  'start-decided': 'The verdict says start, on disk; nothing has been started.',
  spawned: 'The script runs, and is not watched yet.',
  'news-written': 'An item of news is on disk; whoever told it does not know.',
  'statement-saved': 'A statement is on disk under its number, and has not been sent.',
  'reply-received': 'A reply counts, and none of it has been obeyed.',
  'cancel-withdrawn': 'The verdict says withdrawn, on disk; the cancel is not in the journal yet.',
  'cancel-journalled': 'The cancel is in the journal; nothing has been stopped for it.',
  'step-over': 'A step is over, on disk and told, and the next has not been begun.',
  'step-begun': 'A later step is begun, on disk; nothing has been done for it.',
  'processes-frozen': 'What runs from a file is stopped, and none of it has been killed.',
  'processes-killed': 'What ran from a file is killed; the file is in its place.',
  'quarantine-promised': 'That a file is to be taken away is on disk; it is in its place.',
  'quarantine-copied': 'A file is copied into quarantine, and is in its place as well.',
  'quarantine-aside': 'A file is gone from its place, and nothing says yet that it is kept.',
  'quarantine-kept': 'A file is kept, on disk; what was left of it where it was may be there still.',
  'quarantine-back': 'A name of a file is back, and the file is in quarantine as well.',
  undone: 'What an action had put here is taken back; nothing says so yet.',
  frozen: 'What runs in the scope is frozen, and has not been looked at.',
  emptied: 'The scope is empty and removed; nothing says so yet.',
  'outcome-journalled': 'How it ended is in the journal, and not in the news.',
  'isolation-candidate': 'Whether the host is to be isolated is on disk, and has not been made so.',
  'isolation-applied': 'The host is isolated as it is to be, or not, and nothing says so yet.',
  'isolation-confirmed': 'That this stands is on disk, and not in the news.',
  'restriction-candidate': 'Whether the host is to be restricted is on disk, and has not been made so.',
  'restriction-applied': 'The host is restricted as it is to be, or not, and nothing says so yet.',
  'restriction-confirmed': 'That this stands is on disk, and not in the news.',
  'postures-off': 'Nothing stands on the host any more; the commit of the offboarding is not in the journal.',
  committed: 'The commit of the offboarding is in the journal; nothing says so yet.',
  'key-doomed': 'The identity is a tombstone; the key lies beside it, and has not been overwritten.',
  'key-destroyed': 'The key is gone; the agent is still there.',
  'orders-obeyed': 'All of a reply is on disk, and its nonce is not spent.',
  'dropped-half-way': 'The offer is gone from the folder of a finished action, the rest is not.',
} as const satisfies Readonly<Record<string, string>>

export type KillPoint = keyof typeof killPoints

/** Of the process, like the environment that it comes from: to hand it to everybody would make it part of the design. */
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
