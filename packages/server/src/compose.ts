/** The only file that chooses: which database, which bus, whose keys, which disk. */
import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import type { App } from './app/ports.ts'
import { expireActions } from './app/expire-actions.ts'
import { sweepFiles } from './app/sweep-files.ts'
import { memoryBus } from './bus/memory.ts'
import type { Config } from './config.ts'
import { memoryCounters } from './counters/memory.ts'
import { diskFiles } from './files/disk.ts'
import { openHttp } from './http/index.ts'
import { randomIds } from './ids/random.ts'
import { openSigner } from './signing/key-file.ts'
import { openSqlite } from './store/dialect.ts'
import { digestOf } from './store/events.ts'
import { migrate } from './store/migrations/index.ts'
import { settled } from './store/settings.ts'
import { openStore } from './store/store.ts'
import { every } from './timers.ts'

export interface Running {
  readonly app: App
  readonly http: FastifyInstance
  close(): Promise<void>
}

export interface ComposeOptions {
  readonly now?: () => Date
  /** Level of the structured log on standard output. */
  readonly logLevel: string
}

/** Wires one server over one data folder; it does not listen yet. */
export async function compose(
  config: Config,
  { now = () => new Date(), logLevel }: ComposeOptions,
): Promise<Running> {
  await mkdir(config.dataFolder, { recursive: true, mode: 0o700 })
  const db = openSqlite(join(config.dataFolder, 'countermand.db'))
  await migrate(db)
  const tenantId = await settled(db, 'tenant_id', () => randomIds.guid())
  const epoch = await settled(db, 'epoch', () => randomIds.guid())
  // The reference's issuer, v1 form, whatever endpoint was asked (`wire.md` 10).
  const issuer = `https://sts.windows.net/${tenantId}/`
  const bus = memoryBus()
  const app: App = {
    store: openStore(db, (change) => bus.publish(change)),
    bus,
    signer: await openSigner(join(config.dataFolder, 'keys'), issuer),
    files: diskFiles(join(config.dataFolder, 'files')),
    counters: memoryCounters(config.limits),
    ids: randomIds,
    now,
    digest: digestOf,
    identity: { tenantId, epoch },
    settleWithinMs: config.settleWithinMs,
    runLimitsMs: config.runLimitsMs,
  }
  const http = await openHttp({ app, publicUrl: config.publicUrl, issuer, log: { level: logLevel } })
  const failed = (err: unknown): void => http.log.error({ err }, 'timer')
  const stops = [
    every(1_000, () => expireActions(app), failed),
    every(60 * 60_000, () => sweepFiles(app), failed),
  ]
  return {
    app,
    http,
    close: async () => {
      await Promise.all(stops.map((stop) => stop()))
      await http.close()
      await app.store.close()
    },
  }
}
