/** PutFile: a file of the library, put where scripts and people on this host find it. A cancel takes it back. */
import type { PutFile } from '@countermand/contract'
import type { Put } from '../host/put.ts'
import { cannotBeDone, type Run, type Step } from './executor.ts'
import { nothingUndone } from './program.ts'

export const putFile = (file: PutFile): Step => ({
  limitMs: file.limitMs,
  work: 'agent',
  // Here, so that nothing is begun that the server cannot bring.
  prepare: async (run) => {
    await run.fetch(wanted(file))
    return null
  },
  tend: () => Promise.resolve(),

  conclude: async (run) => {
    // An earlier agent may have died over it: what it did is taken back, and done anew.
    await takeBack(run)
    const from = await run.fetch(wanted(file))
    const put = await run.host.puts
      .plan(from, file.fileName, `${run.folder}/kept-${run.index}`)
      .catch(cannotBeDone)
    await run.promise(put)
    run.signal.throwIfAborted()
    await run.host.puts.put(from, put)
    return { failed: false, errors: [], result: null }
  },

  undo: takeBack,
})

const wanted = ({ sha256, size, fileName }: PutFile) => ({ sha256, size, name: fileName })

async function takeBack(run: Run) {
  const put = await run.promised<Put>()
  return put === null ? nothingUndone : { isChanged: true, residues: await run.host.puts.takeBack(put) }
}
