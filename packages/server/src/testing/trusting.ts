/** A server that trusts other issuers, on the clock of the world: they sign by no other. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { impatient, openServer, unlimited, type ServerOptions, type TestServer } from './server.ts'

/** As under `issuers` in the configuration file. */
export type Trusted = Readonly<
  Record<string, { readonly issuer: string; readonly audience: readonly string[]; readonly jwksUri?: string }>
>

export async function openTrusting(
  issuers: Trusted,
  { flags = [...unlimited, ...impatient], ...options }: ServerOptions = {},
): Promise<TestServer> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-issuers-'))
  const file = join(folder, 'countermand.yaml')
  // JSON is YAML.
  writeFileSync(file, JSON.stringify({ issuers }))
  const server = await openServer({ ...options, flags: ['--config', file, ...flags] })
  rmSync(folder, { recursive: true })
  server.clock.now = new Date()
  return server
}
