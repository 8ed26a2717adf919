/**
 * A real PostgreSQL for tests, from the binaries that npm brings. It refuses to run as root and the checkout may lie where
 * nobody else can read, so it runs as `nobody` from a copy.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { chmodSync, cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { postgresBinaries, postgresUser } from '../../../../test/needs.ts'

export interface Postgres {
  /** Of a database that stays empty. */
  readonly url: string
  /** The URL of an empty database that nobody else has. */
  freshDatabase(): Promise<string>
  stop(): Promise<void>
}

const run = promisify(execFile)

export async function startPostgres(): Promise<Postgres> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-postgres-'))
  const password = randomBytes(16).toString('hex')
  writeFileSync(join(folder, 'password'), password, { mode: 0o600 })
  const port = await freePort()
  let server: ChildProcess | null = null
  try {
    const program = await copyTo(folder)
    await makeCluster(program, folder)
    const command = [join(program, 'postgres'), '-D', join(folder, 'data'), ...settings(port)]
    server = supervise(folder, command)
    await ready(server)
  } catch (thrown) {
    if (server !== null) await ended(server)
    rmSync(folder, { recursive: true, force: true })
    throw thrown
  }
  const running = server
  const url = `postgres://countermand:${password}@127.0.0.1:${port}/postgres`
  return { url, freshDatabase: () => freshDatabase(url), stop: () => ended(running) }
}

/** A database of its own beside the one that `url` names. */
export async function freshDatabase(url: string): Promise<string> {
  const name = `test_${randomBytes(8).toString('hex')}`
  const client = new Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(`create database ${name}`)
  } finally {
    await client.end()
  }
  return url.replace(/[^/]*$/, name)
}

/** Everything in `folder` belongs to whom it runs as. Answers where the programs are. */
async function copyTo(folder: string): Promise<string> {
  const native = postgresBinaries()
  if (native === null) throw new Error('there is no PostgreSQL for this platform')
  const copy = join(folder, 'native')
  cpSync(native, copy, { recursive: true })
  // Made by the package's postinstall script, which does not run here.
  const links: { source: string; target: string }[] = JSON.parse(
    readFileSync(join(native, 'pg-symlinks.json'), 'utf8'),
  )
  for (const { source, target } of links) {
    if (dirname(source) !== dirname(target)) throw new Error(`${target} does not lie beside ${source}`)
    symlinkSync(basename(source), join(folder, target))
  }
  chmodSync(folder, 0o755)
  const user = postgresUser()
  if (user !== null) await run('chown', ['-R', `${user.uid}:${user.gid}`, folder])
  return join(copy, 'bin')
}

async function makeCluster(program: string, folder: string): Promise<void> {
  // Turkish by ICU: small letters and the order of words that no comparison of ours may depend on.
  const locale = ['--locale=C', '--locale-provider=icu', '--icu-locale=tr-TR']
  const kind = ['--username=countermand', '--encoding=UTF8', ...locale, '--auth=scram-sha-256']
  const how = [
    `--pwfile=${join(folder, 'password')}`,
    `--pgdata=${join(folder, 'data')}`,
    '--no-sync',
    '--no-instructions',
  ]
  await run(join(program, 'initdb'), [...kind, ...how], { ...postgresUser(), cwd: folder })
}

/** By TCP alone: a socket file's path can grow too long. Commits reach the disk, as they are to do elsewhere. */
const settings = (port: number): readonly string[] =>
  Object.entries({
    listen_addresses: '127.0.0.1',
    port,
    unix_socket_directories: '',
    fsync: 'on',
    max_connections: 60,
    shared_buffers: '32MB',
    // Two that wait for each other are found out sooner than by default, or tests would wait with them.
    deadlock_timeout: '100ms',
  }).flatMap(([name, value]) => ['-c', `${name}=${value}`])

/** Ends the server when its own input ends, which it does however the test process comes to its end, and clears up. */
const supervisor = `trap '' INT TERM HUP
"$@" </dev/null &
exec 2>/dev/null
cat
kill -INT $!
wait $!
rm -rf "$0"`

const supervise = (folder: string, command: readonly string[]): ChildProcess =>
  spawn('sh', ['-c', supervisor, folder, ...command], {
    ...postgresUser(),
    cwd: '/',
    stdio: ['pipe', 'ignore', 'pipe'],
  })

function ready({ stderr }: ChildProcess): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>()
  let said = ''
  stderr?.on('data', (bytes: Buffer) => {
    said += bytes.toString()
    if (said.includes('ready to accept connections')) resolve()
    if (said.includes('FATAL')) reject(new Error(said))
  })
  stderr?.once('end', () => reject(new Error(said)))
  return promise
}

function ended(server: ChildProcess): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  if (server.exitCode !== null) resolve()
  server.once('exit', () => resolve())
  server.stdin?.end()
  return promise
}

/** Free a moment ago. */
export async function freePort(): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<void>()
  const server = createServer().listen(0, '127.0.0.1', resolve)
  await promise
  const address = server.address()
  await new Promise((closed) => server.close(closed))
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}
