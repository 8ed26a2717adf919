/** What a program asked of the kernel, in order: read from strace's log, so that *on disk first* can be seen and not only believed. */
import { textOf } from './beats.ts'

export interface Call {
  readonly name: string
  /** The whole line: arguments, paths of descriptors, result. */
  readonly text: string
  /** When it was asked and when it was answered, as places in the log; never answered: infinity. */
  readonly asked: number
  readonly answered: number
}

/** Traces what comes after it; as a grandchild of its own, so that what is traced keeps its pid and its end. */
export const traced = (file: string, calls: readonly string[]): readonly string[] => [
  // What libuv would hand to a ring is not a call that anybody sees.
  'env',
  'UV_USE_IO_URING=0',
  'strace',
  '-D',
  '-f',
  '-qq',
  '-ttt',
  '-y',
  '-s',
  '4096',
  '-e',
  `trace=${calls.join(',')}`,
  '-o',
  file,
]

/** Reads a log, also one that is still written: an unfinished line is none. */
export function callsIn(file: string): readonly Call[] {
  const calls: Call[] = []
  /** What another thread has interrupted, by thread. */
  const open = new Map<string, { place: number; name: string; text: string; asked: number }>()
  const lines = textOf(file).split('\n').slice(0, -1)
  for (const [at, line] of lines.entries()) {
    const [, thread = '', text = ''] = /^(\d+)\s+\d+\.\d+ (.*)$/.exec(line) ?? []
    const begun = /^(\w+)(\(.*) <unfinished \.\.\.>$/s.exec(text)
    const resumed = /^<\.\.\. (\w+) resumed>(.*)$/s.exec(text)
    const whole = /^(\w+)(\(.*)$/s.exec(text)
    if (begun !== null) {
      const [, name = '', rest = ''] = begun
      open.set(thread, { place: calls.length, name, text: rest, asked: at })
      calls.push({ name, text: name + rest, asked: at, answered: Infinity })
    } else if (resumed !== null) {
      const call = open.get(thread)
      open.delete(thread)
      // An execve ends the threads beside it, and is answered under another number.
      if (call === undefined || call.name !== resumed[1]) continue
      const joined = call.name + call.text + (resumed[2] ?? '')
      calls[call.place] = { name: call.name, text: joined, asked: call.asked, answered: at }
    } else if (whole !== null) {
      calls.push({ name: whole[1] ?? '', text, asked: at, answered: at })
    }
  }
  return calls
}

/** The calls of a log, to be asked for one by one; what is not there is a failure that shows the log. */
export interface Trace {
  readonly calls: readonly Call[]
  /** The first that was asked after everything in `after` had been answered. */
  find(what: RegExp, ...after: readonly Call[]): Call
}

export function openTrace(file: string): Trace {
  const calls = callsIn(file)
  return {
    calls,
    find: (what, ...after) => {
      const from = Math.max(-1, ...after.map(({ answered }) => answered))
      const found = calls.find(({ asked, text }) => asked > from && what.test(text))
      if (found !== undefined) return found
      const shown = calls
        .filter(({ asked, text }) => asked > from && !text.includes('<anon_inode:'))
        .map(({ text }) => text.slice(0, 300))
      throw new Error(`no ${what} after ${from} in:\n${shown.join('\n').slice(0, 20_000)}`)
    },
  }
}

/** Was the one answered before the other was even asked? */
export const isBefore = (one: Call, other: Call): boolean => one.answered < other.asked
