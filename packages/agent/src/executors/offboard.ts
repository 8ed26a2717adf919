/**
 * Offboard: what stands is taken off, then comes the commit point, by leave of a server that was asked after that; nothing else runs
 * meanwhile. Up to that point all of it is taken back, after it nothing is. The key goes once the server has heard (`offboard/`).
 */
import { NotYet, type Executor, type Run, type Step } from './executor.ts'
import { impossible } from './program.ts'

export const offboard: Executor = ({ parameters, runLimitMs }) =>
  'offboard' in parameters ? [step(runLimitMs)] : impossible('This is not an order to offboard.')

const step = (limitMs: number): Step => ({
  limitMs,
  work: 'agent',
  prepare: () => Promise.resolve(null),
  tend: () => Promise.resolve(),

  conclude: async (run) => {
    const { departure } = run
    if (!(await departure.isCommitted())) await reach(run)
    try {
      await departure.takeOff()
      await departure.forget()
    } catch (thrown) {
      throw new NotYet(thrown)
    }
    return { failed: false, errors: [], result: null }
  },

  undo: async ({ departure }) => ({ isChanged: await departure.stay(), residues: [] }),
})

/** Up to the commit point, and past it; throws where it was not passed, and the host stands as it did. */
async function reach(run: Run): Promise<void> {
  const { departure, signal } = run
  try {
    run.look(null, 'waiting for what else runs here')
    await departure.alone(signal)
    run.look(null, 'taking off what stands')
    await departure.takeOff()
    run.look(null, 'waiting for the leave of the server')
    await run.askLeave()
    signal.throwIfAborted()
    if (await departure.commit().catch((thrown: unknown) => Promise.reject(new NotYet(thrown)))) return
    // A cancel was first: it is in the journal, and on its way here.
    await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }))
    signal.throwIfAborted()
  } catch (thrown) {
    // What the disk has of a commit that failed is not known: that is looked at first.
    if (!(thrown instanceof NotYet)) await departure.stay().catch(() => undefined)
    throw thrown
  }
}
