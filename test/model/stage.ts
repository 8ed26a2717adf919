/**
 * The outside world of whatever is imported after this: disk, timers, clock, and the gate of replies. While a world is on the
 * stage the agent lives in it; while there is none, everything is as it always is.
 */
import type * as calls from 'node:fs/promises'
import { vi } from 'vitest'
import type * as clock from '../../packages/agent/src/host/clock.ts'
import type * as verify from '../../packages/agent/src/verify.ts'
import type { DiskCalls } from './disk-calls.ts'

/** What the mocked modules ask. */
export interface Outside {
  readonly disk: DiskCalls
  readonly exists: (path: string) => boolean
  readonly bootSeconds: () => number
  readonly bootId: () => string
  /** Which of the prepared keys. */
  readonly nextKey: () => number
  readonly randomBytes: (size: number) => Buffer
  readonly pause: (ms: number, signal: AbortSignal | undefined) => Promise<void>
  /** A gate that is not the real one: a fault to be found. */
  readonly openReply: OpenReply | null
}

export type OpenReply = typeof verify.openReply

export const stage: { outside: Outside | null } = { outside: null }

vi.mock('node:fs/promises', () => {
  const real: typeof calls = process.getBuiltinModule('node:fs/promises')
  const names = ['open', 'readFile', 'readdir', 'mkdir', 'link', 'rename', 'unlink', 'rm'] as const
  const simulated = names.map((name) => {
    const call = (...args: unknown[]): unknown =>
      Reflect.apply((stage.outside?.disk ?? real)[name], undefined, args)
    return [name, call]
  })
  return { ...real, ...Object.fromEntries(simulated) }
})

vi.mock('node:fs', () => {
  const real = process.getBuiltinModule('node:fs')
  const existsSync = (path: string): boolean => stage.outside?.exists(path) ?? real.existsSync(path)
  return { ...real, existsSync }
})

/** Dice that always fall alike: nonces, and the names of drafts. */
vi.mock('node:crypto', () => {
  const real = process.getBuiltinModule('node:crypto')
  return {
    ...real,
    randomBytes: (size: number): Buffer => stage.outside?.randomBytes(size) ?? real.randomBytes(size),
    randomUUID: (): string => stage.outside?.randomBytes(16).toString('hex') ?? real.randomUUID(),
  }
})

vi.mock('node:timers/promises', () => {
  const real = process.getBuiltinModule('node:timers/promises')
  const pause = (ms: number, value: undefined, options?: { signal?: AbortSignal }): unknown =>
    stage.outside?.pause(ms, options?.signal) ?? real.setTimeout(ms, value, options)
  return { ...real, setTimeout: pause }
})

vi.mock('../../packages/agent/src/host/clock.ts', async (importReal) => {
  const real = await importReal<typeof clock>()
  return {
    ...real,
    bootSeconds: () => stage.outside?.bootSeconds() ?? real.bootSeconds(),
    bootId: () => stage.outside?.bootId() ?? real.bootId(),
  }
})

vi.mock('../../packages/agent/src/verify.ts', async (importReal) => {
  const real = await importReal<typeof verify>()
  const openReply: OpenReply = (...given) => (stage.outside?.openReply ?? real.openReply)(...given)
  return { ...real, openReply }
})
