/** How every run begins, made once by the real enrolment: a server with its keys, and a device that it knows. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { vi } from 'vitest'
import { enrol } from '../../packages/agent/src/identity.ts'
import { makeEnrolmentToken } from '../../packages/server/src/app/enrol-device.ts'
import type { Rooms } from '../../packages/server/src/app/ports.ts'
import { openSigner } from '../../packages/server/src/signing/key-file.ts'
import { Clock } from './clock.ts'
import { signCheaply } from './crypto.ts'
import { openMemoryStore } from './memory-store.ts'
import { Server, script, scriptSha256 } from './server.ts'
import { noTables } from './tables.ts'
import type { Given } from './world.ts'

const url = 'http://server.test'

export async function given(): Promise<Given> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-model-'))
  try {
    signCheaply()
    const signer = await openSigner(join(folder, 'keys'), url)
    const parts = { clock: new Clock(), signer, machineId: '', committed: () => undefined }
    const server = new Server({ ...parts, openStore: (moment) => openMemoryStore(noTables, moment) })
    const about = { description: null, hasParameters: false, parametersDescription: null }
    const file = { fileName: 'a.sh', sha256: scriptSha256, size: script.length, ...about }
    await server.app.store.write('keepLibraryFile', { ...file, by: 'ann', override: false })
    const machineId = await enrolled(server, join(folder, 'device'))
    const tables = await server.tables()
    return {
      signer,
      machineId,
      identity: readFileSync(join(folder, 'device/identity.json'), 'utf8'),
      openStore: (moment, alter?: (rooms: Rooms) => Rooms) => openMemoryStore(tables, moment, alter),
    }
  } finally {
    rmSync(folder, { recursive: true })
  }
}

async function enrolled(server: Server, folder: string): Promise<string> {
  const { token } = await makeEnrolmentToken(server.app, { server: url, forDevice: null, by: 'ann' })
  vi.stubGlobal('fetch', async (_: string, { body }: RequestInit) => {
    const { status, text } = await server.enrol(String(body))
    return new Response(text, { status })
  })
  const ips = { ipAddresses: [], agentVersion: '0.1.0', hostName: 'ws-1', osPlatform: 'Linux' }
  const facts = { ...ips, osVersion: null, osBuild: null, osArchitecture: null, osProcessor: null, version: null }
  const capabilities = { LiveResponse: { able: true as const, commands: ['RunScript'] } }
  const { machineId } = await enrol(folder, token, { facts, capabilities })
  vi.unstubAllGlobals()
  return machineId
}
