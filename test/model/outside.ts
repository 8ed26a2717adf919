/** Puts a world on the stage: whatever the agent asks of its runtime is answered there. */
import { basename } from 'node:path'
import { vi } from 'vitest'
import { dataFolder } from './device.ts'
import { diskCalls, type DiskCalls } from './disk-calls.ts'
import { stage, type Outside } from './stage.ts'
import type { World } from './world.ts'

/** Lets something happen in a world, and nothing of it outlive that. */
export async function during(world: World, happen: () => Promise<void>): Promise<void> {
  const { clock, network } = world
  stage.outside = outsideOf(world)
  vi.stubGlobal('fetch', network.fetch)
  vi.stubGlobal('Date', clock.Date)
  vi.stubGlobal('setTimeout', (fire: () => void, ms: number) => clock.set(ms, fire))
  vi.stubGlobal('setInterval', (fire: () => void, ms: number) => clock.set(ms, fire, true))
  vi.stubGlobal('clearTimeout', (id: number) => clock.clear(id))
  vi.stubGlobal('clearInterval', (id: number) => clock.clear(id))
  const putBack = [
    replace(AbortSignal, 'timeout', (ms) => timeoutOf(world, ms)),
    replace(Math, 'random', () => 0.5),
  ]
  try {
    world.disk.put(`${dataFolder}/identity.json`, world.given.identity)
    world.faults.disk?.(world.disk)
    await happen()
  } finally {
    world.device.kill()
    for (const put of putBack) put()
    vi.unstubAllGlobals()
    stage.outside = null
  }
}

/** Not a spy, which would remember every call. */
function replace<Of extends object, Name extends keyof Of>(of: Of, name: Name, by: Of[Name]): () => void {
  const before = of[name]
  of[name] = by
  return () => {
    of[name] = before
  }
}

function outsideOf(world: World): Outside {
  const { disk, turns, machine, faults } = world
  let thrown = 0
  let keys = 0
  return {
    disk: watched(world, diskCalls(disk, turns)),
    exists: (path) => disk.find(path) !== null,
    bootSeconds: () => world.bootSeconds(),
    bootId: () => machine.bootId(),
    pause: (ms, signal) => pause(world, ms, signal),
    openReply: faults.openReply ?? null,
    nextKey: () => {
      keys += 1
      return keys - 1
    },
    randomBytes: (size) => {
      thrown += 1
      const bytes = Buffer.alloc(size)
      bytes.writeUInt32BE(thrown, size - 4)
      return bytes
    },
  }
}

function pause({ clock }: World, ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = clock.set(ms, resolve)
    const stop = (): void => {
      clock.clear(timer)
      reject(signal?.reason)
    }
    if (signal?.aborted) stop()
    else signal?.addEventListener('abort', stop)
  })
}

function timeoutOf({ clock }: World, ms: number): AbortSignal {
  const over = new AbortController()
  clock.set(ms, () => over.abort(new DOMException('time is up', 'TimeoutError')))
  return over.signal
}

/** Shows the two files that matter to the promises: the start file, and the one that says that a reply is obeyed. */
function watched({ clock, disk, promises }: World, calls: DiskCalls): DiskCalls {
  const draftedAt = new Map<string, number>()
  const textOf = (path: string): string => disk.file(path).content.toString()
  return {
    ...calls,
    open: (path, flags) => {
      // Here the agent has just made up its mind; that it takes a while to reach the disk changes nothing.
      if (flags === 'wx') draftedAt.set(path, clock.bootSeconds())
      return calls.open(path, flags)
    },
    link: async (from, to) => {
      await calls.link(from, to)
      if (basename(to) !== 'verdict.json') return
      const { verdict } = JSON.parse(textOf(to)) as { verdict: string }
      if (verdict === 'start') promises.decided(to.split('/').at(-2) ?? '', draftedAt.get(from) ?? Number.NaN)
    },
    rename: async (from, to) => {
      await calls.rename(from, to)
      if (!basename(to).startsWith('sync-')) return
      const { pending } = JSON.parse(textOf(to)) as { pending: unknown }
      if (pending === null) promises.obeyed()
    },
  }
}
