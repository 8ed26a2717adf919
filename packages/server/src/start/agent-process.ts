/** The agent for this host: a process of its own beside the server, started again when it ends by itself. */
import { spawn, type ChildProcess } from 'node:child_process'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface AgentOptions {
  readonly dataFolder: string
  /** Given to an agent that has no identity yet. */
  readonly enrolmentToken: string
  /** Where the server listens now. */
  readonly server: string
  /** What it is to trust; null for whatever this host trusts. */
  readonly caFile: string | null
  readonly pretend: boolean
  readonly allowContainment: boolean
  /** Why it is not to be started again; null where it is. */
  readonly whyNotAgain: () => Promise<string | null>
  readonly say: (line: string) => void
}

/**
 * What goes before the program. Bytes that pass through an agent are thrown away with the small objects that hold them, and those
 * are swept when their space is full: the smaller it is, the less lies about. Measured while 1 GB is sent: 25 MB over idle, not 74.
 */
export const agentNodeFlags = ['--max-semi-space-size=2']
const main = fileURLToPath(new URL('../../../agent/src/main.ts', import.meta.url))
const longestPauseMs = 30_000

/** Starts it; the returned function stops it (scripts that it runs go on, and are taken up again) and waits for its end. */
export function startAgent(options: AgentOptions): () => Promise<void> {
  let stopping = false
  let failures = 0
  let child: ChildProcess | undefined
  let again: NodeJS.Timeout | undefined
  let ended: Promise<unknown> = Promise.resolve()

  const start = (): void => {
    const began = Date.now()
    const agent = launch(options)
    child = agent
    ended = new Promise((resolve) => {
      agent.once('exit', (code, signal) => {
        resolve(undefined)
        if (stopping) return
        failures = Date.now() - began > 60_000 ? 0 : failures + 1
        const pauseMs = Math.min(500 * 2 ** failures, longestPauseMs)
        const how = `the agent ended (${signal ?? `exit ${code}`})`
        const startAgain = (why: string | null): void => {
          if (stopping) return
          options.say(why ?? `${how}; starting it again in ${pauseMs / 1000} s`)
          if (why === null) again = setTimeout(start, pauseMs)
        }
        void options.whyNotAgain().then(startAgain, () => startAgain(null))
      })
    })
  }
  start()
  return async () => {
    stopping = true
    clearTimeout(again)
    child?.stdin?.end()
    await ended
  }
}

function launch(options: AgentOptions): ChildProcess {
  const flags = [
    ...(options.caFile === null ? [] : ['--ca', options.caFile]),
    ...(options.pretend ? ['--pretend'] : []),
    ...(options.allowContainment ? ['--allow-containment'] : []),
  ]
  const agent = spawn(
    process.execPath,
    [...agentNodeFlags, main, '--data', options.dataFolder, '--server', options.server, '--tied', ...flags],
    {
      // Tied: its standard input ends with us, however we end, and so does it.
      stdio: ['pipe', 'pipe', 'inherit'],
      env: { ...process.env, COUNTERMAND_AGENT_ENROL: options.enrolmentToken, COUNTERMAND_KILL_AT: '' },
      // Ctrl-C reaches us; the agent is told by the end of its input, in our order.
      detached: true,
    },
  )
  agent.stdin?.on('error', () => undefined)
  if (agent.stdout !== null) createInterface({ input: agent.stdout }).on('line', (line) => options.say(line))
  return agent
}
