/** Process of its own: a whole server over a filled store, and a bare Fastify route that answers a constant. */
import Fastify from 'fastify'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import type { App } from '../packages/server/src/app/ports.ts'
import { compose } from '../packages/server/src/compose.ts'
import { readConfig } from '../packages/server/src/config/index.ts'
import { makeCredentials } from '../packages/server/src/start/credentials.ts'
import { openPostgres } from '../packages/server/src/store/postgres/open.ts'
import { openSqlite } from '../packages/server/src/store/sqlite/open.ts'
import { roomsOf } from '../packages/server/src/store/rooms.ts'
import { nothingTouched } from '../packages/server/src/store/touched.ts'
import { fill } from './fill.ts'

const [folder = '', countText = '0', databaseUrl = ''] = process.argv.slice(2)
const count = Number(countText)
const partSize = 1_000

const lifted = ['--limits', 'read=-/-,cancel=-/-', '--settle-ms', '0', '--no-agent']
const database = databaseUrl === '' ? [] : ['--database-url', databaseUrl]
const config = readConfig(['--data', folder, '--listen', '127.0.0.1:1', ...lifted, ...database], {}, true)

async function main(): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const first = await compose(config, { logLevel: 'silent' })
  await first.http.close()
  await first.app.store.close()
  const ids = await filled(first.app)
  const { app, http } = await compose(config, { logLevel: 'silent' })
  const server = new URL(await http.listen({ host: '127.0.0.1', port: 0 }))
  const bare = Fastify()
  bare.post('/constant', () => ({ status: 'Cancelled' }))
  const constant = new URL(await bare.listen({ host: '127.0.0.1', port: 0 }))
  const { clientId, clientSecret, tenantId } = await makeCredentials(app, config)
  process.send?.(
    JSON.stringify({
      ids,
      port: Number(server.port),
      barePort: Number(constant.port),
      clientId,
      clientSecret,
      tenantId,
    }),
  )
}

/** Side by side where the database has several connections: it takes minutes otherwise. */
async function filled({ identity, signer, digest }: App): Promise<string[]> {
  const isSqlite = databaseUrl === ''
  const db = isSqlite ? openSqlite(join(folder, 'countermand.db'), 'alone').db : openPostgres(databaseUrl)
  const moment = { at: new Date(), epoch: identity.epoch, digest }
  const server = signer.orderThumbprint
  const ids: string[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    for (let from = next; from < count; from = next) {
      next = from + partSize
      const part = { from, count: Math.min(partSize, count - from), server }
      ids.push(...(await db.transaction().execute((tx) => fill(roomsOf(tx, nothingTouched()), part, moment))))
    }
  }
  await Promise.all(Array.from({ length: isSqlite ? 1 : 8 }, worker))
  await db.destroy()
  return ids
}

void main()
process.on('SIGINT', () => process.exit(0))
