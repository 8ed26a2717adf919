/** A world in which every step of every action can be held, so that something can come between. */
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openWorld, type World } from '../end-to-end/fixture.ts'
import { openMounts, type Mounts } from '../faults/mounts.ts'
import { openProxy, type Proxy } from '../faults/proxy.ts'
import { through } from '../faults/through.ts'

export interface Stage {
  readonly world: World
  readonly proxy: Proxy
  /** Programs of the host wait while this is set: the scanner, and one that a package asks. */
  hold(isHeld: boolean): void
  /** The agent dies at this point once it is started again; null: at none. */
  arm(point: string | null): void
  /** In the command line of the scanner. */
  readonly signatures: string
  /** The only place where files are looked for by their hash. */
  readonly searched: string
  close(): Promise<void>
}

/** What a package uses early on; it is there on every Linux. */
const asked = '/usr/bin/sha256sum'
const scanner = '/usr/bin/clamscan'

export async function openStage(serverFlags: readonly string[] = []): Promise<Stage> {
  const own = mkdtempSync(join(tmpdir(), 'countermand-stage-'))
  const held = join(own, 'held')
  const signatures = join(own, 'signatures')
  const searched = join(own, 'searched')
  mkdirSync(searched)
  const mounts = await openMounts()
  for (const program of [asked, scanner]) holdable(mounts, { program, own, held })
  writeSignatures(signatures)
  const proxy = await openProxy()
  let armed: string | null = null
  const route = through(proxy)
  const world = await openWorld({
    ...route,
    serverFlags: [...(route.serverFlags ?? []), ...serverFlags],
    agentFlags: [
      ...(route.agentFlags ?? []),
      '--signatures',
      signatures,
      // The server is on this host: without leave nothing of it is stopped, taken away or offboarded.
      '--allow-containment',
      '--search-in',
      searched,
    ],
    around: (folder) => [
      ...(route.around?.(folder) ?? []),
      ...mounts.inside,
      'env',
      `COUNTERMAND_KILL_AT=${armed ?? ''}`,
    ],
  })
  return {
    world,
    proxy,
    signatures,
    searched,
    hold: (isHeld) => (isHeld ? writeFileSync(held, '') : rmSync(held, { force: true })),
    arm: (point) => (armed = point),
    close: async () => {
      rmSync(held, { force: true })
      await world.close()
      await proxy.close()
      await mounts.close()
      rmSync(own, { recursive: true, force: true })
    },
  }
}

/** Where the agent looks, the program waits as long as it is held, and then is what it always was. */
function holdable(
  mounts: Mounts,
  { program, own, held }: { program: string; own: string; held: string },
): void {
  const name = program.split('/').at(-1) ?? ''
  const real = join(own, name)
  writeFileSync(real, readFileSync(program))
  chmodSync(real, 0o755)
  const waiting = join(own, `waiting-${name}`)
  writeFileSync(waiting, `#!/bin/sh\nwhile [ -e '${held}' ]; do sleep 0.05; done\nexec '${real}' "$@"\n`)
  chmodSync(waiting, 0o755)
  mounts.bind(waiting, program)
}

/** One signature, which nothing here has. */
function writeSignatures(folder: string): void {
  mkdirSync(folder)
  writeFileSync(join(folder, 'test.hdb'), `${'0'.repeat(32)}:68:Countermand.Test.Nothing\n`)
}
