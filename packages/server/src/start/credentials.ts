/** What a data folder gets on its first start: an application with every permission, and the file that tells of it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { applicationPermissions } from '@countermand/contract'
import { listApplications, makeApplication } from '../app/administer-applications.ts'
import type { App } from '../app/ports.ts'
import type { Config } from '../config/index.ts'
import { keepFile } from '../durable.ts'

/** `credentials.json`; what a playbook needs to talk to this server. */
export interface Credentials {
  readonly apiUrl: string
  readonly tokenUrl: string
  readonly tenantId: string
  readonly clientId: string
  readonly clientSecret: string
  /** What a client has to trust, PEM; null where the server has no CA of its own. */
  readonly caFile: string | null
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
export async function makeCredentials(app: App, reached: Reached): Promise<Credentials> {
  const others = await listApplications(app)
  // Who has removed the file gets a way in again; the application that it told of stays, until somebody disables it.
  const name = others.length === 0 ? 'first application' : `first application ${others.length + 1}`
  const asked = { name, permissions: applicationPermissions, expiresInDays: null, by: 'first start' }
  const { made, secretText } = await makeApplication(app, asked)
  return { ...addresses(app, reached), clientId: made.id, clientSecret: secretText, machineId: null }
}

type Reached = Pick<Config, 'publicUrl' | 'caFile'>

/** Where this server is reached now, which may be elsewhere than at its first start, and what to trust there. */
export function addresses(
  app: App,
  { publicUrl, caFile }: Reached,
): Pick<Credentials, 'apiUrl' | 'tokenUrl' | 'caFile' | 'tenantId'> {
  const { tenantId } = app.identity
  return { apiUrl: publicUrl, tokenUrl: `${publicUrl}/${tenantId}/oauth2/v2.0/token`, caFile, tenantId }
}

/** Whole or not at all, and for its owner only. */
export async function writeCredentials(dataFolder: string, credentials: Credentials): Promise<void> {
  await keepFile(fileOf(dataFolder), `${JSON.stringify(credentials, null, 2)}\n`)
}
