/** RunScript: a script from the library, pinned by its hash, run once in the action's scope. */
import type { ResultRef, RunScript, RunScriptResult } from '@countermand/contract'
import { CannotBeDone, cannotBeDone, type Body, type Prepared, type Run, type Step } from './executor.ts'
import { bodyOf, inOwnFolder, program, whyUnfinished, written } from './program.ts'

export const runScript = (script: RunScript): Step => ({
  ...program,
  limitMs: script.limitMs,

  prepare: (run) => prepare(run, script),

  conclude: async (run, ended) => {
    const body = bodyOf(ended)
    const errors = [...whyUnfinished(body, script.limitMs)]
    const result = await deliver(run, script, body).catch((thrown: unknown) => {
      if (!(thrown instanceof CannotBeDone)) throw thrown
      errors.push(`its result could not be kept: ${thrown.message}`)
      return null
    })
    return { failed: body.status === null || body.overran, errors, result }
  },
})

/**
 * The interpreter of the first line is started with the script as its argument, as the kernel would; so a data folder mounted
 * without leave to execute does no harm. Without such a line it is /bin/sh.
 */
async function prepare(run: Run, script: RunScript): Promise<Prepared> {
  const path = await run.fetch({ sha256: script.sha256, size: script.size, name: script.scriptName })
  const interpreter = await run.host.interpreterOf(path).catch(cannotBeDone)
  return inOwnFolder(run, [...interpreter, path, ...script.args])
}

/** Brings the result file of the reference to the server. */
async function deliver(run: Run, { scriptName }: RunScript, body: Body): Promise<ResultRef> {
  const [output, errors] = await Promise.all([written(run, 'stdout'), written(run, 'stderr')])
  const result: RunScriptResult = {
    script_name: scriptName,
    exit_code: body.status,
    script_output: output.text,
    script_errors: errors.text,
    countermand: {
      outputTruncated: output.isCut || errors.isCut,
      leftRunning: body.leftRunning.map(({ pid, command }) => ({ pid, command })),
    },
  }
  const content = new TextEncoder().encode(JSON.stringify(result))
  const { sha256, size } = await run.deliver(() => onePiece(content))
  return { sha256, size, fileName: `${scriptName.replaceAll(/[^\w.-]/g, '_')}_result.json` }
}

async function* onePiece(content: Uint8Array): AsyncIterable<Uint8Array> {
  yield await Promise.resolve(content)
}
