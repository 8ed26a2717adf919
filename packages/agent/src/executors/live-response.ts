/** RunScript: a script from the library, pinned by its hash, run once in the action's scope. */
import type { CommandOutcome, ResultRef, RunScript, RunScriptResult } from '@countermand/contract'
import { CannotBeDone, type Body, type Executor, type Prepared, type Run } from './executor.ts'

/** Of each stream this much is kept, from its beginning. */
export const outputCap = 1024 * 1024
const indexOfScript = 0

export const liveResponse: Executor = {
  prepare: async (run) => prepare(run, scriptOf(run)),

  begun: (_run, startedAt) => [{ ...created, startedAt }],

  tend: async ({ host, folder }) => {
    for (const stream of streams) await host.files.trim(`${folder}/run/${stream}`, outputCap)
  },

  conclude: async (run, body) => {
    const { startedAt, endedAt, overran } = body
    const errors = errorsOf(run, body)
    const result = await deliver(run, body).catch((thrown: unknown) => {
      if (!(thrown instanceof CannotBeDone)) throw thrown
      errors.push(`its result could not be kept: ${thrown.message}`)
      return null
    })
    const failed = body.status === null || overran
    const command: CommandOutcome = {
      index: indexOfScript,
      startedAt,
      endedAt,
      errors,
      status: failed ? 'Failed' : 'Completed',
      result,
    }
    const outcome = overran ? 'timed_out' : failed ? 'failed' : 'succeeded'
    return { outcome, detail: errors[0] ?? null, commands: [command] }
  },

  stopped: (_run, why, { startedAt, endedAt }) => [
    startedAt === null && why === 'cancelled'
      ? created
      : { ...created, startedAt, endedAt, status: 'Failed', errors: [why] },
  ],
}

const streams = ['stdout', 'stderr'] as const
const created: CommandOutcome = {
  index: indexOfScript,
  status: 'Created',
  startedAt: null,
  endedAt: null,
  errors: [],
  result: null,
}

function scriptOf({ offer }: Run): RunScript {
  const [script, ...more] = offer.parameters.commands
  if (script === undefined || more.length > 0)
    throw new CannotBeDone('This agent runs one command in an action.')
  return script
}

/**
 * The interpreter of the first line is started with the script as its argument, as the kernel would; so a data folder mounted
 * without leave to execute does no harm. Without such a line it is /bin/sh.
 */
async function prepare(run: Run, script: RunScript): Promise<Prepared> {
  const path = await run.fetch({ sha256: script.sha256, size: script.size, name: script.scriptName })
  const { host, folder } = run
  const interpreter = await host.interpreterOf(path).catch((thrown: unknown) => {
    throw new CannotBeDone(thrown instanceof Error ? thrown.message : String(thrown))
  })
  const cwd = `${folder}/work`
  await host.files.makeFolder(cwd)
  await host.files.makeFolder(`${folder}/run`)
  return { command: [...interpreter, path, ...script.args], cwd, env: host.environment }
}

/** Brings the result file of the reference to the server. */
async function deliver(run: Run, body: Body): Promise<ResultRef> {
  const result = await resultOf(run, body)
  const content = new TextEncoder().encode(JSON.stringify(result))
  const { sha256, size } = await run.deliver(indexOfScript, content)
  return { sha256, size, fileName: `${result.script_name.replaceAll(/[^\w.-]/g, '_')}_result.json` }
}

async function resultOf(run: Run, { status, leftRunning }: Body): Promise<RunScriptResult> {
  const [output, errors] = await Promise.all(
    streams.map((stream) => run.host.files.readHead(`${run.folder}/run/${stream}`, outputCap)),
  )
  return {
    script_name: scriptOf(run).scriptName,
    exit_code: status,
    script_output: output?.text ?? '',
    script_errors: errors?.text ?? '',
    countermand: {
      outputTruncated: (output?.isCut ?? false) || (errors?.isCut ?? false),
      leftRunning: leftRunning.map(({ pid, command }) => ({ pid, command })),
    },
  }
}

function errorsOf({ offer }: Run, { status, overran }: Body): string[] {
  if (overran) return [`ended by its limit of ${offer.runLimitMs / 1000} seconds`]
  return status === null
    ? ['it ended without an exit status: killed from outside, or its host went down']
    : []
}
