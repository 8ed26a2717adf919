/** What a data folder gets on its first start: an application with every permission, and the file that tells of it. */
import { chmod, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { applicationPermissions } from '@countermand/contract'
import type { App } from '../app/ports.ts'

/** `credentials.json`; what a playbook needs to talk to this server. */
export interface Credentials {
  readonly apiUrl: string
  readonly tokenUrl: string
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  /** This host; null without an agent. */
  readonly machineId: string | null
}

const fileOf = (dataFolder: string): string => join(dataFolder, 'credentials.json')

/** The credentials written by an earlier start; null on the first. */
export async function readCredentials(dataFolder: string): Promise<Credentials | null> {
  const text = await readFile(fileOf(dataFolder), 'utf8').catch(() => null)
  return text === null ? null : parse(text)
}

const parse = (text: string): Credentials => JSON.parse(text)

/** Makes the first application. Its secret is kept here as a digest only. */
export async function makeCredentials(app: App, publicUrl: string): Promise<Credentials> {
  const secret = app.ids.secret()
  const id = app.ids.guid()
  const row = { id, objectId: app.ids.guid(), name: 'first application', secretDigest: app.digest(secret) }
  await app.store.write('keepApplication', { ...row, permissions: applicationPermissions })
  return { ...addresses(app, publicUrl), clientId: id, clientSecret: secret, machineId: null }
}

/** Where this server is reached now, which may be elsewhere than at its first start. */
export function addresses(
  app: App,
  publicUrl: string,
): Pick<Credentials, 'apiUrl' | 'tokenUrl' | 'tenantId'> {
  const { tenantId } = app.identity
  return { apiUrl: publicUrl, tokenUrl: `${publicUrl}/${tenantId}/oauth2/v2.0/token`, tenantId }
}

/** Whole or not at all, and for its owner only. */
export async function writeCredentials(dataFolder: string, credentials: Credentials): Promise<void> {
  const file = fileOf(dataFolder)
  const handle = await open(`${file}.tmp`, 'w', 0o600)
  await handle.writeFile(`${JSON.stringify(credentials, null, 2)}\n`)
  await handle.sync()
  await handle.close()
  await chmod(`${file}.tmp`, 0o600)
  await rename(`${file}.tmp`, file)
}
