/** The agent for the server's own host: makes it known, gives it a token if it has no identity yet, starts it. */
import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { startAgent } from './agent-process.ts'
import { announceDevice } from '../app/enrol-device.ts'
import { makeEnrolmentToken } from '../app/enrolment-tokens.ts'
import type { App } from '../app/ports.ts'
import type { Config } from '../config/index.ts'

export interface LocalAgent {
  readonly machineId: string
  stop(): Promise<void>
}

/** How long a start waits for the agent's first word, so that what is printed next can be tried at once. */
const agentWithinMs = 15_000

/** `known`: the id that this host was given by an earlier start. */
export async function startLocalAgent(
  app: App,
  config: Config,
  known: string | null,
  say: (line: string) => void,
): Promise<LocalAgent> {
  const dataFolder = join(config.dataFolder, 'agent')
  const enrolled = await enrolledId(dataFolder)
  const machineId = enrolled ?? known ?? (await announceDevice(app, hostname()))
  const before = await lastSeen(app, machineId)
  const stop = startAgent({
    dataFolder,
    enrolmentToken: enrolled !== null ? '' : await tokenFor(app, config.localUrl, machineId),
    server: config.localUrl,
    caFile: config.caFile,
    pretend: config.agent === 'pretend',
    allowContainment: config.allowContainment,
    say: (line) => say(`agent: ${line}`),
  })
  const until = performance.now() + agentWithinMs
  while (performance.now() < until && (await lastSeen(app, machineId)) === before) await pause(50)
  return { machineId, stop }
}

/** The id in the agent's own identity; null where it has none yet. */
async function enrolledId(agentFolder: string): Promise<string | null> {
  const text = await readFile(join(agentFolder, 'identity.json'), 'utf8').catch(() => null)
  if (text === null) return null
  const { machineId }: { machineId: string } = JSON.parse(text)
  return machineId
}

async function tokenFor(app: App, server: string, forDevice: string): Promise<string> {
  // What it is to trust, it is told at each start.
  const { token } = await makeEnrolmentToken({ ...app, ca: null }, { server, forDevice, by: 'first start' })
  return token
}

const lastSeen = async (app: App, machineId: string): Promise<number | null> => {
  const device = await app.store.read('device', machineId)
  return device?.lastSeen?.getTime() ?? null
}
