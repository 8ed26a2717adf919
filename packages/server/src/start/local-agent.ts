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
  const whyNotAgain = (): Promise<string | null> => whyOffboarded(dataFolder)
  const enrolled = await enrolledId(dataFolder)
  const machineId = enrolled ?? known ?? (await announceDevice(app, hostname()))
  const why = await whyNotAgain()
  if (why !== null) {
    say(`agent: ${why}`)
    return { machineId, stop: () => Promise.resolve() }
  }
  const before = await lastSeen(app, machineId)
  const stop = startAgent({
    dataFolder,
    enrolmentToken: enrolled !== null ? '' : await tokenFor(app, config.localUrl, machineId),
    server: config.localUrl,
    caFile: config.caFile,
    pretend: config.agent === 'pretend',
    allowContainment: config.allowContainment,
    whyNotAgain,
    say: (line) => say(`agent: ${line}`),
  })
  const until = performance.now() + agentWithinMs
  while (performance.now() < until && (await lastSeen(app, machineId)) === before) await pause(50)
  return { machineId, stop }
}

interface Identity {
  readonly machineId: string
  /** It was given up: of its key nothing is left. */
  readonly offboarded?: { readonly at: string }
}

/** The agent's own; null where it has none yet. */
async function identityIn(agentFolder: string): Promise<Identity | null> {
  const text = await readFile(join(agentFolder, 'identity.json'), 'utf8').catch(() => null)
  if (text === null) return null
  const identity: Identity = JSON.parse(text)
  return identity
}

const enrolledId = async (agentFolder: string): Promise<string | null> =>
  (await identityIn(agentFolder))?.machineId ?? null

/** Why no agent is started here; null where one is. */
async function whyOffboarded(agentFolder: string): Promise<string | null> {
  const offboarded = (await identityIn(agentFolder))?.offboarded
  if (offboarded === undefined) return null
  const file = join(agentFolder, 'identity.json')
  return `this host was offboarded at ${offboarded.at}; no agent runs beside the server. To bring it back, remove ${file} and start again.`
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
