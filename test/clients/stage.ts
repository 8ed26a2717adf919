/** A real server with a pretended device, and programs of others that are run against both. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../architecture/tree.ts'
import { freePort, openWorld } from '../end-to-end/fixture.ts'
import { openTlsProxy } from './tls-proxy.ts'

export interface Stage {
  readonly credentials: Readonly<Record<'tenantId' | 'clientId' | 'clientSecret' | 'machineId', string>>
  /**
   * Runs a program in a folder that has `data`, as the documents say. It trusts the server. Rejects, with what it said, when it does
   * not end well.
   */
  run(command: readonly string[]): Promise<string>
  close(): Promise<void>
}

/** Who speaks TLS. */
export type TlsBy = 'the server' | 'a proxy'

export async function openStage(tlsBy: TlsBy): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-clients-'))
  const port = await freePort()
  const listen = `127.0.0.1:${port}`
  const proxy = tlsBy === 'a proxy' ? await openTlsProxy(folder, listen) : null
  const [url, flags] =
    proxy === null
      ? [`https://localhost:${port}`, ['--tls', 'auto']]
      : [`http://${listen}`, ['--trusted-proxies', '127.0.0.1']]
  const world = await openWorld({
    embedded: true,
    serverFlags: ['--pretend', '--public-url', proxy?.url ?? url, ...flags],
    address: { listen, url },
  })
  symlinkSync(world.dataFolder, join(folder, 'data'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const env = environment(proxy?.certificate ?? join(world.dataFolder, 'ca.pem'))
  return {
    credentials: JSON.parse(readFileSync(join(world.dataFolder, 'credentials.json'), 'utf8')),
    run: async ([file = '', ...args]) => (await promisify(execFile)(file, args, { cwd: folder, env })).stdout,
    close: async () => {
      await world.close()
      await proxy?.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Each kind of client has a name of its own for the certificates that it trusts. */
export const environment = (ca: string): Record<string, string> => ({
  // Before what wraps Python for its developers, and takes seconds a start.
  PATH: `/usr/bin:${process.env.PATH ?? ''}`,
  NODE_EXTRA_CA_CERTS: ca,
  REQUESTS_CA_BUNDLE: ca,
  CURL_CA_BUNDLE: ca,
})
