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
import { NotEnrolled, caOf, enrol, readIdentity, serverIn, type Identity } from './identity.ts'
import { openJournal, type Journal } from './journal.ts'
import { openLoop, type Loop } from './loop.ts'
import { openNews, type NewsLog } from './news.ts'
import { openDeparture } from './offboard/departure.ts'
import { destroyLeftKey, epitaph, giveUpIdentity, readTombstone } from './offboard/tombstone.ts'
import { listHeld, obey } from './orders.ts'
import { openContainment, whyNot } from './posture/containment.ts'
import { beforeAnything, openPostures, type OpenPostures } from './posture/open.ts'
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

/**
 * Runs a device until the signal; what it runs for others goes on. Or until it was offboarded: then it has no identity any more.
 * @throws NotEnrolled without identity and token, EnrolmentError where that token leads nowhere
 */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<void> {
  const { dataFolder, host, log } = options
  await beforeAnything(options)
  const { able, stop } = preparing(host, capabilitiesFor(options, await serverOf(options)))
  const self = async () => ({ facts: await factsOf(host), capabilities: await able() })
  const identity = await identityOf(options, self)
  const { keyThumbprint } = identity
  const journal = await openJournal(dataFolder)
  const sync = await Sync.open(dataFolder, identity)
  const news = await openNews(dataFolder, keyThumbprint, sync.acknowledged)
  let ticket: string | null = null
  // What stands is put back before there is a loop.
  const started: { loop: Loop | null } = { loop: null }
  const postures = await openPostures({
    ...options,
    news,
    server: identity.server,
    whyNot: async (aspect) => whyNot((await able())[typeOf[aspect]]),
    syncSoon: () => started.loop?.soon(),
  })
  const departure = await openDeparture({ journal, postures, keyThumbprint, host, log })
  const transfer = openTransfer({ server: identity.server, ticket: () => ticket, renew: () => loop.soon() })
  const runner = openRunner({ journal, news, host, transfer, departure, log, syncSoon: () => loop.soon() })
  const retold = new Set<string>()
  const leaving = openLeaving(options, identity)
  const loop = openLoop({
    sync,
    log,
    self: async () => ({ ...(await self()), ...(await saidBy({ journal, news, runner, postures })) }),
    answered: ({ reply }) => {
      if (ticket === null) log(`connected, epoch ${reply.epoch}`)
      ticket = reply.ticket
    },
    hasNews: () => news.pending().length > 0,
    isOver: async (isRefused) => leaving.note(await departure.over({ runner, news }, isRefused)),
    obey: (answer) => obey({ journal, news, runner, host, retold, postures }, answer, sync.epoch),
  })
  started.loop = loop
  await recover({ journal, news, runner })
  const until = AbortSignal.any([signal, leaving.signal])
  const wakeUps = listenFor(loop, { server: identity.server, ticket: () => ticket, sync }, until)
  const pulse = openPulse({ runner, syncSoon: () => loop.soon(), now: () => host.bootSeconds() * 1000 })
  await loop.run(signal)
  stop()
  pulse.stop()
  await runner.shutdown()
  postures.stop()
  await wakeUps
  await leaving.finish()
}

interface Listening {
  readonly server: string
  readonly ticket: () => string | null
  readonly sync: Sync
}

const listenFor = (loop: Loop, { server, ticket, sync }: Listening, signal: AbortSignal): Promise<void> =>
  listen({
    server,
    ticket,
    seen: () => sync.seen,
    wake: () => loop.soon(),
    listening: (isListening) => loop.setListening(isListening),
    signal,
  })

interface Leaving {
  /** Fires once it has left. */
  readonly signal: AbortSignal
  /** `action`: by which it has left; null while it has not. */
  note(action: string | null): boolean
  /** The last of all: the identity is given up, if it has left. */
  finish(): Promise<void>
}

function openLeaving({ dataFolder, host, log }: AgentOptions, { machineId, ...who }: Identity): Leaving {
  const left = new AbortController()
  let by: string | null = null
  return {
    signal: left.signal,
    note: (action) => {
      by = action
      if (by !== null) left.abort()
      return by !== null
    },
    finish: async () => {
      if (by === null) return
      const offboarded = { at: host.now(), action: by, key: who.keyThumbprint }
      const tombstone = { machineId, server: who.server, offboarded }
      await giveUpIdentity(dataFolder, tombstone)
      log(epitaph(tombstone))
      log(
        `What it has done is kept in ${dataFolder}. Nothing starts this agent again but its service: disable that.`,
      )
    },
  }
}

interface Saying {
  readonly journal: Journal
  readonly news: NewsLog
  readonly runner: Runner
  readonly postures: OpenPostures
}

async function saidBy(parts: Saying): Promise<Omit<Self, 'facts' | 'capabilities'>> {
  const { journal, news, runner, postures } = parts
  // The list first: news told while it is read speaks of what the list may not have yet, never the other way round.
  const held = await listHeld(journal)
  const progress = runner.progress()
  return { held, newsHead: news.head(), news: news.pending(), progress, postures: postures.report() }
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
  const { enrolmentToken, dataFolder, log } = options
  const tombstone = await readTombstone(dataFolder)
  if (tombstone !== null) await destroyLeftKey(dataFolder)
  const why =
    tombstone === null
      ? `No identity in ${join(dataFolder, 'identity.json')}: start once with --enrol TOKEN.`
      : epitaph(tombstone)
  if (enrolmentToken === null) throw new NotEnrolled(why)
  if (tombstone !== null) log(why)
  return enrol(dataFolder, enrolmentToken, self)
}

async function factsOf(host: Host): Promise<Facts> {
  return { ...(await host.readFacts()), agentVersion }
}

/** Whose refusal keeps a host from standing so. */
const typeOf = { isolation: 'Isolate', restriction: 'RestrictCodeExecution' } as const

/** Begins to work out what a restriction takes as soon as this host may be restricted, and goes on with that until it is stopped. */
function preparing(
  host: Host,
  capable: () => Promise<Capabilities>,
): { readonly able: () => Promise<Capabilities>; readonly stop: () => void } {
  const over = new AbortController()
  let isBegun = false
  return {
    able: async () => {
      const capabilities = await capable()
      if (capabilities.RestrictCodeExecution?.able && !isBegun && !over.signal.aborted) {
        isBegun = true
        host.execution.prepare(over.signal)
      }
      return capabilities
    },
    stop: () => over.abort(),
  }
}

/** What this host can do, type by type; a server refuses the rest before anything is queued. */
function capabilitiesFor(options: AgentOptions, server: string | null): () => Promise<Capabilities> {
  const { switchedOff, host } = options
  const containment = openContainment(options)
  const off = {
    able: false as const,
    why: 'switched_off' as const,
    detail: 'its agent was started with --switch-off',
  }
  return async () => {
    const scanner = await host.scanner.find()
    const { isolation, restriction, offboarding, quarantine } = await containment(server)
    const capabilities: Record<ActionType, Capability> = {
      LiveResponse: { able: true, commands: ['PutFile', 'RunScript', 'GetFile'] },
      CollectInvestigationPackage: { able: true },
      RunAntiVirusScan:
        'lack' in scanner ? { able: false, why: 'missing_tool', detail: scanner.lack } : { able: true },
      StopAndQuarantineFile: quarantine,
      Isolate: isolation,
      Unisolate: isolation,
      RestrictCodeExecution: restriction,
      UnrestrictCodeExecution: restriction,
      Offboard: offboarding,
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
