/** A step that has begun, up to its end: by itself, by its limit, or by a cancel. What is on disk decides which came first. */
import { NotYet, type Body, type Found, type Run, type Step } from './executors/executor.ts'
import { overLimit } from './executors/program.ts'
import { isWrapper } from './host/scope/wrapper-text.ts'
import type { Verdict } from './journal.ts'
import { killPoint } from './kill-points.ts'
import type { Patience } from './patience.ts'
import type { RunnerParts, Stops } from './runner-parts.ts'

/** When a step was begun, by the clock that counts suspend. */
export type Since = Pick<Verdict & { verdict: 'start' }, 'bootId' | 'bootSeconds'>

export interface UnderWay {
  /** The action's. */
  readonly id: string
  readonly parts: RunnerParts
  readonly stops: Stops
  readonly patience: Patience
  readonly scope: string
  readonly step: Step
  readonly since: Since
  /** No other step follows. */
  readonly isLast: boolean
  readonly programFolder: string
  runOf(signal: AbortSignal): Run
  /** Says that nothing of the action executes any more, and that only the rest is to be done. */
  bodyIsOver(): Promise<void>
}

export interface End extends Found {
  /** Its limit ended it. */
  readonly overran: boolean
  readonly endedAt: string
}

/** How often a running program is tended. */
const tendMs = 500

/** How it went; null when a cancel ended it. Throws when the agent leaves. */
export async function endOf(under: UnderWay): Promise<End | null> {
  const { step, stops, patience } = under
  const { host } = under.parts
  const limit = limitOf(under)
  const body = step.work === 'agent' ? null : await bodyOf(under, limit)
  if (step.work !== 'agent' && body === null) return null
  const endedAt = host.now()
  const overran = body?.overran ?? false
  const stop = stopOf(under, limit)
  try {
    const found = await patience.over(step.conclude(under.runOf(stop), body), stop)
    return {
      ...found,
      overran: overran || found.overran === true,
      endedAt: step.work === 'program' ? endedAt : host.now(),
    }
  } catch (thrown) {
    stops.leaving.throwIfAborted()
    if (thrown instanceof NotYet) throw thrown
    const isCancelled = stop.aborted && stops.cancelled.aborted
    if (isCancelled && step.work !== 'program') return null
    const result = { result: null, endedAt: step.work === 'program' ? endedAt : host.now() }
    if (isCancelled)
      return { ...result, failed: false, errors: ['its result was not kept: cancelled'], overran }
    const why = stop.aborted
      ? overLimit(step.limitMs)
      : thrown instanceof Error
        ? thrown.message
        : String(thrown)
    return { ...result, failed: true, errors: [why.slice(0, 4096)], overran: overran || stop.aborted }
  }
}

function limitOf({ parts: { host }, since, step }: UnderWay): AbortSignal {
  const spentMs = host.bootId() === since.bootId ? (host.bootSeconds() - since.bootSeconds) * 1000 : 0
  return AbortSignal.timeout(Math.max(0, Math.round(step.limitMs - spentMs)))
}

/** What ends the rest of a step. Of a last step whose program is over nothing is left but to tell of it. */
function stopOf({ stops: { leaving, cancelled }, step, isLast }: UnderWay, limit: AbortSignal): AbortSignal {
  if (step.work !== 'program') return AbortSignal.any([leaving, cancelled, limit])
  return isLast ? leaving : AbortSignal.any([leaving, cancelled])
}

/** Did the cancel come before the end? Asks what runs to end by itself first, where the cancel gives it time for that. */
async function cameFirst({ id, parts, scope, stops }: UnderWay, status: number | null): Promise<boolean> {
  const { host, journal } = parts
  const record = await journal.find(id)
  // An earlier agent has asked, and its time is over.
  if (record?.isAsked === true) return true
  if (status !== null) return false
  const { graceMs = 0 } = record ?? {}
  if (graceMs > 0) {
    await journal.ask(id, host.now())
    await host.scopes.ask(scope, { withinMs: graceMs, leaving: stops.leaving })
  }
  return true
}

/** A step that is not to be stopped says why, and goes to its end; only its limit ends it before. */
async function refuses(
  { id, parts, scope, patience, stops, ...under }: UnderWay,
  limit: AbortSignal,
): Promise<boolean> {
  const { scopes } = parts.host
  const detail = scopes.unstoppable?.(scope) ?? null
  if (detail === null) return false
  await patience.tell({ kind: 'cannot_stop', action: id, detail })
  try {
    await scopes.ended(scope, under.programFolder, AbortSignal.any([stops.leaving, limit]))
  } catch (thrown) {
    stops.leaving.throwIfAborted()
    if (!limit.aborted) throw thrown
  }
  return true
}

/** Waits for the program, and decides by what is on disk once nothing of it executes. Null: the cancel found it running. */
async function bodyOf(under: UnderWay, limit: AbortSignal): Promise<Body | null> {
  const { scope, step, isLast, patience, programFolder } = under
  const { scopes } = under.parts.host
  const { cancelled, leaving } = under.stops
  const run = under.runOf(leaving)
  const tending = setInterval(() => void step.tend(run).catch(() => undefined), tendMs)
  try {
    await scopes.ended(scope, programFolder, AbortSignal.any([cancelled, leaving, limit]))
  } catch (thrown) {
    if (!cancelled.aborted) leaving.throwIfAborted()
    if (!cancelled.aborted && !limit.aborted) throw thrown
  } finally {
    clearInterval(tending)
  }
  const isRefused = cancelled.aborted && (await refuses(under, limit))
  await scopes.freeze(scope)
  killPoint('frozen')
  const status = await scopes.exitStatus(programFolder)
  const overran = status === null && limit.aborted
  if (cancelled.aborted && !isRefused && (await cameFirst(under, status))) return null

  await step.tend(run)
  const { killed, strays } = await patience.emptied(scope, { keep: !isLast })
  if (isLast) await under.bodyIsOver()
  const leftRunning = [...killed, ...strays].filter((found) => !isWrapper(found))
  return { status, leftRunning: overran ? [] : leftRunning, overran }
}
