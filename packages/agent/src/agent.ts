/** One device, wired: identity, journal, news, runner, sync, wake-ups. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  actionTypes,
  type ActionType,
  type Capabilities,
  type Capability,
  type Facts,
} from '@countermand/contract'
import { trustOnly } from './connection.ts'
import type { Host } from './host/host.ts'
import { EnrolmentError, caOf, enrol, readIdentity, serverIn, type Identity } from './identity.ts'
import { openJournal, type Journal } from './journal.ts'
import { openLoop, type Loop } from './loop.ts'
import { openNews, type NewsLog } from './news.ts'
import { listHeld, obey } from './orders.ts'
import { openContainment, openSparing, whyNot } from './posture/containment.ts'
import { beforeAnything, openPosture, type OpenPosture } from './posture/open.ts'
import { openPulse } from './pulse.ts'
import { recover } from './recover.ts'
import { openRunner, type Runner } from './runner.ts'
import { Sync, type Self } from './sync.ts'
import { openTransfer } from './transfer.ts'
import { listen } from './wake.ts'
import { agentVersion } from './version.ts'

export interface AgentOptions {
  readonly dataFolder: string
  readonly enrolmentToken: string | null
  readonly enrolAgain: boolean
  readonly server: string | null
  readonly caFile: string | null
  readonly switchedOff: readonly string[]
  readonly allowContainment: boolean
  /** It runs beside the server, as its child. */
  readonly tied: boolean
  readonly host: Host
  readonly log: (line: string) => void
}

/** Runs a device until the signal; what it runs for others goes on. @throws EnrolmentError without identity and token. */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const { dataFolder, host, log } = options
  await beforeAnything(options)
  const able = capabilitiesFor(options, await serverOf(options))
  const self = async () => ({ facts: await factsOf(host), capabilities: await able() })
  const identity = await identityOf(options, self)
  const journal = await openJournal(dataFolder)
  const sync = await Sync.open(dataFolder, identity)
  const news = await openNews(dataFolder, identity.keyThumbprint, sync.acknowledged)
  let ticket: string | null = null
  // What stands is put back before there is a loop.
  const started: { loop: Loop | null } = { loop: null }
  const posture = await openPosture({
    ...options,
    news,
    server: identity.server,
    whyNot: async () => whyNot((await able()).Isolate),
    syncSoon: () => started.loop?.soon(),
  })
  const transfer = openTransfer({ server: identity.server, ticket: () => ticket, renew: () => loop.soon() })
  const runner = openRunner({ journal, news, host, transfer, log, syncSoon: () => loop.soon() })
  const retold = new Set<string>()
  const loop = openLoop({
    sync,
    log,
    self: async () => ({ ...(await self()), ...(await saidBy({ journal, news, runner, posture })) }),
    answered: ({ reply }) => {
      if (ticket === null) log(`connected, epoch ${reply.epoch}`)
      ticket = reply.ticket
    },
    hasNews: () => news.pending().length > 0,
    obey: (answer) => obey({ journal, news, runner, host, retold, posture }, answer, sync.epoch),
  })
  started.loop = loop
  await recover({ journal, news, runner })
  const pulse = openPulse({ runner, syncSoon: () => loop.soon(), now: () => host.bootSeconds() * 1000 })
  const wakeUps = listen({
    server: identity.server,
    ticket: () => ticket,
    seen: () => sync.seen,
    wake: () => loop.soon(),
    listening: (isListening) => loop.setListening(isListening),
    signal,
  })
  await loop.run(signal)
  pulse.stop()
  posture.stop()
  await runner.shutdown()
  await wakeUps
}

interface Saying {
  readonly journal: Journal
  readonly news: NewsLog
  readonly runner: Runner
  readonly posture: OpenPosture
}

async function saidBy(parts: Saying): Promise<Omit<Self, 'facts' | 'capabilities'>> {
  const { journal, news, runner, posture } = parts
  // The list first: news told while it is read speaks of what the list may not have yet, never the other way round.
  const held = await listHeld(journal)
  const progress = runner.progress()
  return { held, newsHead: news.head(), news: news.pending(), progress, posture: posture.report() }
}

/** Who this device is, where its server is now, and, for the whole process, what vouches for that server. */
async function identityOf(
  options: AgentOptions,
  self: () => Promise<{ facts: Facts; capabilities: Capabilities }>,
): Promise<Identity> {
  const known = options.enrolAgain ? null : await readIdentity(options.dataFolder)
  const ca = await trusted(options, known)
  if (ca !== null) trustOnly(ca)
  const enrolledAs = known ?? (await enrolled(options, await self()))
  const identity = { ...enrolledAs, server: options.server ?? enrolledAs.server }
  if (known !== null && options.enrolmentToken !== null)
    options.log('already enrolled: the token is not used (--again would)')
  options.log(`device ${identity.machineId} of ${identity.server}`)
  return identity
}

/** What vouches for the server: as this start says, or as the enrolment did; null leaves it to this host. */
async function trusted(
  { caFile, enrolmentToken }: AgentOptions,
  known: Identity | null,
): Promise<string | null> {
  if (caFile !== null) return readFile(caFile, 'utf8')
  if (known !== null) return known.ca
  return enrolmentToken === null ? null : caOf(enrolmentToken)
}

async function enrolled(
  options: AgentOptions,
  self: { facts: Facts; capabilities: Capabilities },
): Promise<Identity> {
  const { enrolmentToken, dataFolder } = options
  if (enrolmentToken === null) {
    throw new EnrolmentError(
      `No identity in ${join(dataFolder, 'identity.json')}: start once with --enrol TOKEN.`,
    )
  }
  return enrol(dataFolder, enrolmentToken, self)
}

async function factsOf(host: Host): Promise<Facts> {
  return { ...(await host.readFacts()), agentVersion }
}

/** What this host can do, type by type; a server refuses the rest before anything is queued. */
function capabilitiesFor(options: AgentOptions, server: string | null): () => Promise<Capabilities> {
  const { switchedOff, host } = options
  const containment = openContainment(options)
  const sparing = openSparing(options, 'files of it be taken away')
  const off = {
    able: false as const,
    why: 'switched_off' as const,
    detail: 'its agent was started with --switch-off',
  }
  return async () => {
    const scanner = await host.scanner.find()
    const isolation = await containment(server)
    const capabilities: Record<ActionType, Capability> = {
      LiveResponse: { able: true, commands: ['PutFile', 'RunScript', 'GetFile'] },
      CollectInvestigationPackage: { able: true },
      RunAntiVirusScan:
        'lack' in scanner ? { able: false, why: 'missing_tool', detail: scanner.lack } : { able: true },
      StopAndQuarantineFile: await sparing(server),
      Isolate: isolation,
      Unisolate: isolation,
    }
    return Object.fromEntries(
      actionTypes.map((type) => [type, switchedOff.includes(type) ? off : capabilities[type]]),
    )
  }
}

/** Where the server is, as far as it is known before the first word to it. */
async function serverOf({
  server,
  dataFolder,
  enrolmentToken,
  enrolAgain,
}: AgentOptions): Promise<string | null> {
  if (server !== null) return server
  const known = enrolAgain ? null : await readIdentity(dataFolder)
  if (known !== null) return known.server
  return enrolmentToken === null ? null : serverIn(enrolmentToken)
}
