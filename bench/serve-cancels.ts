/** Process of its own: a whole server over a filled store, and a bare Fastify route that answers a constant. */
import Fastify from 'fastify'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { compose } from '../packages/server/src/compose.ts'
import { readConfig } from '../packages/server/src/config.ts'
import { makeCredentials } from '../packages/server/src/start/credentials.ts'
import { openSqlite } from '../packages/server/src/store/dialect.ts'
import { roomsOf } from '../packages/server/src/store/rooms.ts'
import { nothingTouched } from '../packages/server/src/store/touched.ts'
import { migrate } from '../packages/server/src/store/migrations/index.ts'
import { fill } from './fill.ts'

const [folder = '', countText = '0', databaseUrl = ''] = process.argv.slice(2)
const count = Number(countText)

async function main(): Promise<void> {
  mkdirSync(folder, { recursive: true })
  const ids = await filled()
  const lifted = ['--limits', 'read=-/-,cancel=-/-', '--settle-ms', '0', '--no-agent']
  const database = databaseUrl === '' ? [] : ['--database-url', databaseUrl]
  const config = readConfig(['--data', folder, '--listen', '127.0.0.1:1', ...lifted, ...database], {}, true)
  const { app, http } = await compose(config, { logLevel: 'silent' })
  const server = new URL(await http.listen({ host: '127.0.0.1', port: 0 }))
  const bare = Fastify()
  bare.post('/constant', () => ({ status: 'Cancelled' }))
  const constant = new URL(await bare.listen({ host: '127.0.0.1', port: 0 }))
  const { clientId, clientSecret, tenantId } = await makeCredentials(app, config.publicUrl)
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

async function filled(): Promise<string[]> {
  const { db } = openSqlite(join(folder, 'countermand.db'), 'alone')
  await migrate(db)
  const ids: string[] = []
  const at = new Date()
  for (let from = 0; from < count; from += 1_000) {
    const part = { from, count: Math.min(1_000, count - from) }
    ids.push(...(await db.transaction().execute((tx) => fill(roomsOf(tx, nothingTouched()), part, { at }))))
  }
  await db.destroy()
  return ids
}

void main()
process.on('SIGINT', () => process.exit(0))
