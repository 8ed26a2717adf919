/** A program under test: a real process, everything that it says, and every way to end it. */
import { spawn, type ChildProcess } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'

export interface Program {
  /** Starts it, or starts it again with the same arguments. */
  start(): void
  readonly pid: number
  /** What it has printed since it was made, all starts together. */
  output(): string
  signal(name: NodeJS.Signals): void
  /** Resolves when it has ended. */
  gone(): Promise<void>
  /** Ends it without asking, also when it is stopped, and waits until it is gone. */
  kill(): Promise<void>
  /** Asks it to leave, and waits until it is gone. */
  leave(): Promise<void>
}

/** `command` is asked for at each start. */
export function openProgram(
  name: string,
  command: () => readonly string[],
  env: Readonly<Record<string, string>>,
): Program {
  let child: ChildProcess | null = null
  let gone: Promise<void> = Promise.resolve()
  let said = ''
  const hear = (chunk: Buffer): void => void (said += chunk.toString())
  const end = async (...signals: NodeJS.Signals[]): Promise<void> => {
    for (const signal of signals) child?.kill(signal)
    await gone
  }
  return {
    start: () => {
      const [file = '', ...args] = command()
      const started = spawn(file, args, { env: { ...env }, stdio: ['ignore', 'pipe', 'pipe'] })
      started.stdout.on('data', hear)
      started.stderr.on('data', hear)
      gone = new Promise((resolve) => {
        const over = (why: unknown): void => {
          said += `[${name} ended: ${String(why)}]\n`
          if (child === started) child = null
          resolve()
        }
        started.once('error', over)
        started.once('exit', (code, signal) => over(signal ?? code))
      })
      child = started
    },
    get pid() {
      if (child?.pid === undefined) throw new Error(`${name} does not run:\n${said}`)
      return child.pid
    },
    output: () => said,
    gone: () => gone,
    signal: (signal) => void child?.kill(signal),
    kill: () => end('SIGKILL'),
    leave: () => end('SIGTERM'),
  }
}

/** Waits until it is so, a throw meaning *not yet*; fails after a generous while with what was waited for. */
export async function until<T>(
  what: string,
  ask: () => Promise<T | false | null> | T | false | null,
  { withinMs = 45_000, everyMs = 50 } = {},
): Promise<T> {
  let last: unknown = null
  for (const end = performance.now() + withinMs; performance.now() < end; await pause(everyMs)) {
    try {
      const answer = await ask()
      if (answer !== false && answer !== null) return answer
    } catch (thrown) {
      last = thrown
    }
  }
  throw new Error(`Waited in vain for: ${what}`, { cause: last })
}

/** Waits until a program that was just started is so far; fails at once, with its words, if it ends instead. */
export async function untilStarted(
  program: Program,
  what: string,
  ask: () => Promise<boolean> | boolean,
): Promise<void> {
  const died = program.gone().then(() => {
    throw new Error(`It ended before ${what}:\n${program.output()}`)
  })
  await Promise.race([until(what, ask), died])
}
