/** RunScript: a script from the library, pinned by its hash, run once in the action's scope. */
import { commandsOf, type ResultRef, type RunScript, type RunScriptResult } from '@countermand/contract'
import { CannotBeDone, type Body, type Executor, type Prepared, type Run } from './executor.ts'
import { inOwnFolder, oneStep, reportOf, whyUnfinished, written } from './one-step.ts'

const indexOfScript = 0

export const liveResponse: Executor = {
  ...oneStep,

  prepare: async (run) => prepare(run, scriptOf(run)),

  conclude: async (run, body) => {
    const errors = [...whyUnfinished(run, body)]
    const result = await deliver(run, body).catch((thrown: unknown) => {
      if (!(thrown instanceof CannotBeDone)) throw thrown
      errors.push(`its result could not be kept: ${thrown.message}`)
      return null
    })
    return reportOf(body, { failed: body.status === null || body.overran, errors, result })
  },
}

function scriptOf({ offer }: Run): RunScript {
  const [script, ...more] = commandsOf(offer.parameters)
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
  const interpreter = await run.host.interpreterOf(path).catch((thrown: unknown) => {
    throw new CannotBeDone(thrown instanceof Error ? thrown.message : String(thrown))
  })
  return inOwnFolder(run, [...interpreter, path, ...script.args])
}

/** Brings the result file of the reference to the server. */
async function deliver(run: Run, body: Body): Promise<ResultRef> {
  const result = await resultOf(run, body)
  const content = new TextEncoder().encode(JSON.stringify(result))
  const { sha256, size } = await run.deliver(indexOfScript, content)
  return { sha256, size, fileName: `${result.script_name.replaceAll(/[^\w.-]/g, '_')}_result.json` }
}

async function resultOf(run: Run, { status, leftRunning }: Body): Promise<RunScriptResult> {
  const [output, errors] = await Promise.all([written(run, 'stdout'), written(run, 'stderr')])
  return {
    script_name: scriptOf(run).scriptName,
    exit_code: status,
    script_output: output.text,
    script_errors: errors.text,
    countermand: {
      outputTruncated: output.isCut || errors.isCut,
      leftRunning: leftRunning.map(({ pid, command }) => ({ pid, command })),
    },
  }
}
