/** Is the end of an action true? What the server says, beside what its script has left on the disk. */
import type { MachineAction, RunScriptResult } from '@countermand/contract'
import { nanoseconds, type Beat } from '../end-to-end/beats.ts'
import { exitCode, onceRun, wholeOutput } from './script.ts'

/** Acknowledged and gone; said and not so; alive when it should not be; without an end. */
export type FaultKind = 'lost' | 'untrue' | 'left' | 'open'

export interface Fault {
  readonly kind: FaultKind
  readonly text: string
}

export interface Evidence {
  readonly end: MachineAction
  /** The same, read once more after everything has been started again. */
  readonly later: MachineAction
  /** The comment of the cancel that was answered with 200; null where there was none. */
  readonly acknowledged: string | null
  /** Somebody has asked for a cancel, whatever came of it. */
  readonly wasAsked: boolean
  readonly ran: string
  /** As they stood when the end was seen, and later. */
  readonly beats: readonly Beat[]
  readonly laterBeats: readonly Beat[]
  readonly processes: readonly number[]
  readonly hasGroup: boolean
  /** The file that it puts is where it puts it. */
  readonly isPut: boolean
  readonly result: RunScriptResult | null
}

const neverRan: readonly (string | null)[] = ['never_offered', 'not_received', 'refused_start']
const mayEnd: readonly string[] = ['Succeeded', 'Failed', 'Cancelled']

export function judge(evidence: Evidence): readonly Fault[] {
  const faults: Fault[] = []
  const owe = (kind: FaultKind, isSo: boolean, text: string): void => {
    if (!isSo) faults.push({ kind, text })
  }
  judgeCancel(evidence, owe)
  judgeWork(evidence, owe)
  const { processes, hasGroup, isPut, beats, laterBeats, end, later } = evidence
  owe('left', !isPut || end.status !== 'Cancelled', 'the file that it had put is left')
  owe('lost', isPut || end.status !== 'Succeeded', 'the file that it was to put is not there')
  owe('left', processes.length === 0, `processes are left: ${processes.join()}`)
  owe('left', !hasGroup, 'its control group is left')
  owe('left', laterBeats.length === beats.length, `${laterBeats.length - beats.length} beats after the end`)
  const isSame =
    end.status === later.status &&
    end.countermand.proof === later.countermand.proof &&
    end.cancellationDateTimeUtc === later.cancellationDateTimeUtc
  owe('untrue', isSame, `the end has changed to ${later.status} ${later.countermand.proof}`)
  owe('untrue', later.countermand.lateOutcome === null, `late outcome ${later.countermand.lateOutcome}`)
  return faults
}

type Owe = (kind: FaultKind, isSo: boolean, text: string) => void

function judgeCancel(
  { end, later, acknowledged, wasAsked, ran, beats, laterBeats }: Evidence,
  owe: Owe,
): void {
  const { status, cancellationRequestor, cancellationComment, cancellationDateTimeUtc } = end
  const { proof } = end.countermand
  if (acknowledged !== null) {
    const isThere = cancellationRequestor !== null && cancellationComment === acknowledged
    owe('lost', isThere, `the cancel was answered with 200 and is not there`)
    owe('lost', later.cancellationComment === acknowledged, 'the cancel is not there any more')
  }
  owe('untrue', wasAsked || status !== 'Cancelled', 'Cancelled, and nobody has asked for it')
  owe('untrue', (status === 'Cancelled') === (proof !== null), `${status} with the proof ${proof}`)
  const hasTime = cancellationDateTimeUtc !== null
  owe('untrue', (status === 'Cancelled') === hasTime, `${status} at ${cancellationDateTimeUtc}`)
  if (status !== 'Cancelled' || cancellationDateTimeUtc === null) return

  owe(
    'untrue',
    proof === 'stopped' || proof === 'reverted' || neverRan.includes(proof),
    `Cancelled by ${proof}`,
  )
  if (neverRan.includes(proof)) {
    owe('untrue', ran === '' && laterBeats.length === 0, `${proof}, and it has run: ${JSON.stringify(ran)}`)
  }
  const cancelledAt = nanoseconds(cancellationDateTimeUtc)
  const late = [...beats, ...laterBeats].filter(({ at }) => at > cancelledAt)
  owe('untrue', late.length === 0, `${late.length} beats after ${cancellationDateTimeUtc}: ${late[0]?.at}`)
}

function judgeWork({ end, ran, result }: Evidence, owe: Owe): void {
  const { status } = end
  owe('untrue', mayEnd.includes(status), `it ended as ${status} ${end.countermand.reason}`)
  owe('untrue', ran === '' || ran === onceRun, `it ran ${ran.length / onceRun.length} times`)
  // A script that has begun ends with its status; only what was never begun can have failed.
  if (status === 'Failed') owe('untrue', ran === '', 'Failed, and it had begun')
  if (status !== 'Succeeded') return
  owe('untrue', ran === onceRun, 'Succeeded, and it has not run')
  owe('lost', result !== null, 'Succeeded, and its result cannot be had')
  const isWhole = result?.exit_code === exitCode && result.script_output === wholeOutput
  owe('untrue', isWhole, `the result is ${JSON.stringify(result)}`)
}
