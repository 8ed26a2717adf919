/** The only file that chooses: which database, which bus, whose keys, which disk. */
import { EventEmitter } from 'node:events'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { Kysely } from 'kysely'
import { openAddresses, type Addresses } from './addresses.ts'
import type { Alarm, App, Change, Identity, Store } from './app/ports.ts'
import { reads } from './app/reads.ts'
import { writes } from './app/writes.ts'
import { expireActions } from './app/actions/expire-actions.ts'
import { sweepKeys } from './app/actions/once.ts'
import { sweepFiles } from './app/files/sweep-files.ts'
import { tidyEnded } from './app/files/tidy-files.ts'
import { memoryBus } from './bus/memory.ts'
import type { Config } from './config/index.ts'
import { memoryCounters } from './counters/memory.ts'
import { memorySignIns } from './counters/sign-ins.ts'
import { makeFolder } from './durable.ts'
import { diskFiles } from './files/disk.ts'
import { diskUploads } from './files/uploads.ts'
import { standingPatience, type Patience } from './http/guard/connections.ts'
import { openHttp, type LogTo } from './http/index.ts'
import { randomIds } from './ids/random.ts'
import { openIssuers } from './issuers/index.ts'
import type { Failed } from './issuers/keys.ts'
import { keepRequestsYoung } from './runtime.ts'
import { openSigner } from './signing/key-file.ts'
import { openSqlite } from './store/sqlite/open.ts'
import { digestOf } from './store/events.ts'
import { migrate } from './store/migrations/index.ts'
import { settled } from './store/settings.ts'
import { openPostgresStore } from './store/postgres/store.ts'
import { afterRestore } from './store/restore.ts'
import type { Tables } from './store/schema.ts'
import { openSqliteStore } from './store/sqlite/store.ts'
import { openMeter, type ComposedMeter } from './telemetry/metrics.ts'
import type { ComposedTracer } from './telemetry/tracer.ts'
import { every, everyNow } from './timers.ts'
import { openTls } from './tls/index.ts'

export interface Running {
  readonly app: App
  readonly http: FastifyInstance
  close(): Promise<void>
}

export interface ComposeOptions {
  readonly now?: () => Date
  /** Level of the structured log on standard output. */
  readonly logLevel: string
  /** Where its lines go instead. */
  readonly logTo?: LogTo
  /** The database is gone from under the server. Ends the process where it is left out. */
  readonly died?: (reason: unknown) => void
  /** What differs from how long and how many connections are borne with; a test has less of it. */
  readonly patience?: Partial<Patience>
}

/** Wires one server over one data folder; it does not listen yet. */
export async function compose(
  config: Config,
  { now = () => new Date(), logLevel, logTo, died = fatal, patience }: ComposeOptions,
): Promise<Running> {
  keepRequestsYoung()
  makeFolder(config.dataFolder)
  const bus = memoryBus()
  const ended = new Set<string>()
  const tls = await openTls(config, join(keysOf(config), 'ca.key'), now)
  const watch = await openWatch(config, now)
  const committed = (change: Change): void => {
    bus.publish(change)
    watch.committed(change)
    for (const id of change.ended) ended.add(id)
  }
  const { store: bare, identity } = await openDatabase(config, { now, died, committed })
  // The reference's issuer, v1 form, whatever endpoint was asked (`wire.md` 10).
  const issuer = `https://sts.windows.net/${identity.tenantId}/`
  const given = { bus, ids: randomIds, now, digest: digestOf, identity }
  const addresses = openAddresses(config)
  const app: App = {
    ...decided(config),
    store: watch.meter.watch(bare),
    signer: await openSigner(keysOf(config), issuer),
    issuers: openIssuers(config.issuers, watch.issuerSilent),
    ...disks(config),
    ...counts(config),
    meter: watch.meter,
    tracer: watch.tracer,
    ...given,
    ca: tls?.ca ?? null,
    addresses: (here) => addresses.of(here),
  }
  const log = { level: logLevel, to: logTo }
  const waits = { ...standingPatience, ...patience }
  const serverFactory = tls?.serverFactory ?? null
  const http = await openHttp({ ...edge(config), app, issuer, serverFactory, log, patience: waits })
  watch.sayIn(http.log, config.restored ? identity.epoch : null)
  const stopTimers = startTimers({ app, ended, addresses }, (err) => http.log.error({ err }, 'timer'))
  const stopRenewal = tls?.renew(http.log)
  const stops = [
    stopRenewal,
    stopTimers,
    () => http.close(),
    () => app.store.close(),
    () => watch.tracer?.close(),
  ]
  return { app, http, close: inOrder(stops) }
}

const inOrder = (stops: readonly ((() => unknown) | undefined)[]) => async (): Promise<void> => {
  for (const stop of stops) await stop?.()
}

const keysOf = ({ dataFolder }: Config): string => join(dataFolder, 'keys')

/** What the configuration says and the edge asks for. */
const edge = ({ publicUrl, metrics, trustedProxies }: Config) => ({ publicUrl, metrics, trustedProxies })

const counts = ({ limits }: Config): Pick<App, 'counters' | 'signIns'> => ({
  counters: memoryCounters(limits),
  signIns: memorySignIns(),
})

const disks = ({ dataFolder }: Config): Pick<App, 'files' | 'uploads'> => ({
  files: diskFiles(join(dataFolder, 'files')),
  uploads: diskUploads(join(dataFolder, 'files')),
})

type Decided =
  'publicUrl' | 'isolation' | 'settleWithinMs' | 'runLimitsMs' | 'putLimit' | 'sessions' | 'policies'

/** What the configuration says and use cases ask for. */
const decided = (config: Config): Pick<App, Decided> => ({
  publicUrl: config.isPublicUrlGiven ? config.publicUrl : null,
  settleWithinMs: config.settleWithinMs,
  runLimitsMs: config.runLimitsMs,
  putLimit: config.putLimit,
  sessions: config.sessions,
  policies: config.policies,
  isolation: config.isolation,
})

/** What is done without anybody asking. The returned function waits for what is under way. */
function startTimers(
  { app, ended, addresses }: { app: App; ended: Set<string>; addresses: Addresses },
  failed: (thrown: unknown) => void,
): () => Promise<unknown> {
  const stops = [
    everyNow(60_000, () => addresses.renew(), failed),
    every(1_000, () => expireActions(app), failed),
    every(1_000, () => tidyEnded(app, ended), failed),
    every(60 * 60_000, () => sweepFiles(app), failed),
    every(60 * 60_000, () => sweepKeys(app), failed),
  ]
  return () => Promise.all(stops.map((stop) => stop()))
}

interface Watch {
  readonly meter: ComposedMeter
  readonly tracer: ComposedTracer | null
  committed(change: Change): void
  readonly issuerSilent: Failed
  /** Says what nobody has asked for. `restored`: the new epoch, for the first start after a backup was put back. */
  sayIn(log: FastifyInstance['log'], restored: string | null): void
}

/** Whoever is told of what happens, and changes nothing. */
async function openWatch({ otlpEndpoint }: Config, now: () => Date): Promise<Watch> {
  const told = new EventEmitter<{ alarm: [Alarm]; untraced: [unknown]; silent: [string, unknown] }>()
  const meter = openMeter(now)
  const tracer = await tracerFor(otlpEndpoint, (reason) => told.emit('untraced', reason))
  return {
    meter,
    tracer,
    committed: (change) => {
      meter.committed(change)
      tracer?.committed(change)
      for (const alarm of change.alarms) told.emit('alarm', alarm)
    },
    issuerSilent: (issuer, reason) => void told.emit('silent', issuer, reason),
    sayIn: (log, restored) => {
      told.on('alarm', (alarm) => log.warn(alarm, 'alarm'))
      told.on('untraced', (err) => log.warn({ err }, 'the collector did not take traces'))
      told.on('silent', (issuer, err) => log.warn({ err, issuer }, 'the issuer’s keys cannot be had'))
      if (restored === null) return
      meter.alarmed('server.restored')
      log.warn({ epoch: restored, kind: 'server.restored' }, 'alarm')
    },
  }
}

/** Nothing of it is loaded where there is no endpoint. */
async function tracerFor(
  endpoint: string | null,
  failed: (reason: unknown) => void,
): Promise<ComposedTracer | null> {
  if (endpoint === null) return null
  const { openTracer } = await import('./telemetry/tracer.ts')
  return openTracer(endpoint, failed)
}

function fatal(reason: unknown): never {
  console.error(reason)
  process.exit(1)
}

/** To PostgreSQL, beside those of writers. */
const connectionsToLook = 4

interface DatabaseOptions {
  readonly now: () => Date
  readonly committed: (change: Change) => void
  readonly died: (reason: unknown) => void
}

/** SQLite in the data folder, or PostgreSQL where a URL is given. */
async function openDatabase(
  config: Config,
  options: DatabaseOptions,
): Promise<{ store: Store; identity: Identity }> {
  const { now, committed, died } = options
  if (config.databaseUrl !== null) {
    // Its driver is loaded where it is used: a server starts the sooner without.
    const { openPostgres } = await import('./store/postgres/open.ts')
    const db = openPostgres(config.databaseUrl)
    const identity = await prepare(db, config.restored ? now() : null).catch(async (thrown: unknown) => {
      await db.destroy()
      throw thrown
    })
    const known = { epoch: identity.epoch, digest: digestOf }
    const looking = openPostgres(config.databaseUrl, connectionsToLook)
    const works = { reads, writes }
    return { identity, store: openPostgresStore({ db, looking, known, now, committed, works }) }
  }
  const file = join(config.dataFolder, 'countermand.db')
  const { db } = openSqlite(file, 'alone')
  const identity = await prepare(db, config.restored ? now() : null)
  await db.destroy()
  const thread = new URL('./database-thread.ts', import.meta.url)
  return { identity, store: openSqliteStore({ file, epoch: identity.epoch, now, thread, committed, died }) }
}

/** Up to date, and with a name; with a new epoch after a restore. */
async function prepare(db: Kysely<Tables>, restoredAt: Date | null): Promise<Identity> {
  await migrate(db)
  if (restoredAt !== null) await afterRestore(db, randomIds.guid(), restoredAt)
  const tenantId = await settled(db, 'tenant_id', () => randomIds.guid())
  const epoch = await settled(db, 'epoch', () => randomIds.guid())
  return { tenantId, epoch }
}
