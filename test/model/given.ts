/** How every run begins, made once by the real enrolment: a server with its keys, and a device that it knows. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import { enrol } from '../../packages/agent/src/identity.ts'
import { makeEnrolmentToken } from '../../packages/server/src/app/enrolment-tokens.ts'
import { openSigner } from '../../packages/server/src/signing/key-file.ts'
import { Clock } from './clock.ts'
import { signCheaply } from './crypto.ts'
import { openMemoryStore } from './memory-store.ts'
import { textOf } from './network.ts'
import { Server, script, scriptSha256 } from './server.ts'
import { openRealStore } from './sqlite-store.ts'
import { noTables } from './tables.ts'
import { url, type Given } from './world.ts'

export interface Beginnings {
  readonly memory: Given
  /** The real store; slower. */
  readonly sqlite: Given
}

export async function beginnings(): Promise<Beginnings> {
  await signCheaply()
  const folder = mkdtempSync(join(tmpdir(), 'countermand-model-'))
  try {
    const signer = await openSigner(join(folder, 'keys'), url)
    const parts = { clock: new Clock(), signer, committed: () => undefined }
    const server = new Server({ ...parts, openStore: (moment) => openMemoryStore(noTables, moment) })
    await upload(server)
    await enrolDevice(server, join(folder, 'device'))
    const tables = await server.tables()
    const identity = readFileSync(join(folder, 'device/identity.json'), 'utf8')
    const memory: Given = {
      signer,
      identity,
      openStore: (moment, alter) => openMemoryStore(tables, moment, alter),
    }
    const sqlite: Given = { ...memory, openStore: (moment) => openRealStore(tables, moment) }
    return { memory, sqlite }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function upload(server: Server): Promise<void> {
  const about = { description: null, hasParameters: false, parametersDescription: null }
  const file = { fileName: 'a.sh', sha256: scriptSha256, size: script.length, ...about }
  await server.app.store.write('keepLibraryFile', { ...file, by: 'ann', override: false })
}

async function enrolDevice(server: Server, folder: string): Promise<void> {
  const { token } = await makeEnrolmentToken(server.app, { server: url, forDevice: null, by: 'ann' })
  vi.stubGlobal('fetch', async (_: string, asked: RequestInit) => {
    const { status, text } = await server.enrol(textOf(asked))
    return new Response(text, { status })
  })
  const system = { hostName: 'ws-1', osPlatform: 'Linux', osVersion: null, osBuild: null }
  const more = { osArchitecture: null, osProcessor: null, version: null, ipAddresses: [] }
  const facts = { ...system, ...more, agentVersion: '0.1.0' }
  const capabilities = { LiveResponse: { able: true as const, commands: ['RunScript'] } }
  await enrol(folder, token, { facts, capabilities })
  vi.unstubAllGlobals()
}
