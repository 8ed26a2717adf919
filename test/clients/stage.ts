/** A real server with a pretended device, TLS before it, and programs of others that are run against both. */
import { execFile } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../architecture/tree.ts'
import { freePort, openWorld, type World } from '../end-to-end/fixture.ts'
import { openTls, type Tls } from './tls.ts'

export interface Stage {
  readonly world: World
  readonly credentials: Readonly<Record<'tenantId' | 'clientId' | 'clientSecret' | 'machineId', string>>
  /**
   * Runs a program in a folder that has `data`, as the documents say. It trusts the certificate, and, where Microsoft's hosts are
   * built in, it is led here by a proxy. Rejects, with what it said, when it does not end well.
   */
  run(command: readonly string[], isLedHere?: 'led here'): Promise<string>
  close(): Promise<void>
}

export async function openStage(): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-clients-'))
  const listen = `127.0.0.1:${await freePort()}`
  const tls = await openTls(folder, listen)
  const world = await openWorld({
    embedded: true,
    serverFlags: ['--pretend', '--public-url', tls.url, '--trusted-proxies', '127.0.0.1'],
    address: { listen, url: `http://${listen}` },
  })
  symlinkSync(world.dataFolder, join(folder, 'data'))
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))
  const credentials: Stage['credentials'] = JSON.parse(
    readFileSync(join(world.dataFolder, 'credentials.json'), 'utf8'),
  )
  return {
    world,
    credentials,
    run: async ([file = '', ...args], isLedHere) => {
      const env = environment(tls, isLedHere !== undefined)
      return (await promisify(execFile)(file, args, { cwd: folder, env })).stdout
    },
    close: async () => {
      await world.close()
      await tls.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** Each kind of client has a name of its own for the certificates that it trusts. */
function environment({ certificate, proxyUrl }: Tls, isLedHere: boolean): Record<string, string> {
  return {
    // Before what wraps Python for its developers, and takes seconds a start.
    PATH: `/usr/bin:${process.env.PATH ?? ''}`,
    NODE_EXTRA_CA_CERTS: certificate,
    REQUESTS_CA_BUNDLE: certificate,
    CURL_CA_BUNDLE: certificate,
    ...(isLedHere && { HTTPS_PROXY: proxyUrl, NODE_USE_ENV_PROXY: '1' }),
  }
}
