/** What a data folder gets on its first start: an application with every permission, and the file that tells of it. */
import { chmod, open, readFile, rename } from 'node:fs/promises'
import { join } from 'node:path'
import { applicationPermissions } from '@countermand/contract'
import { listApplications, makeApplication } from '../app/administer-applications.ts'
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
  const others = await listApplications(app)
  // Who has removed the file gets a way in again; the application that it told of stays, until somebody disables it.
  const name = others.length === 0 ? 'first application' : `first application ${others.length + 1}`
  const asked = { name, permissions: applicationPermissions, expiresInDays: null, by: 'first start' }
  const { made, secretText } = await makeApplication(app, asked)
  return { ...addresses(app, publicUrl), clientId: made.id, clientSecret: secretText, machineId: null }
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
