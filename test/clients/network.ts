/**
 * A network of a test's own, in which the names of Microsoft lead to a server of ours, as `docs/clients.md` says, and nobody else is
 * there. The host's own `/etc/hosts` is not touched: another file is in its place for whoever is inside.
 */
import { execFile, execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { root } from '../architecture/tree.ts'
import { openProgram, untilStarted } from '../end-to-end/program.ts'
import { openMounts } from '../faults/mounts.ts'
import { environment, type Stage } from './stage.ts'

const run = promisify(execFile)
const serverMain = join(root, 'packages/server/src/main.ts')
const unlimited = 'read=-/-,cancel=-/-,respond=-/-,liveResponse=-/-,package=-/-,library=-/-'

/** `started`: how the server is, as somebody types it. `hosts`: the line for `/etc/hosts`. */
export async function openNetwork(started: string, hosts: string): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-network-'))
  const mounts = await openMounts({ isAlone: true })
  const [nsenter = '', ...into] = mounts.inside
  const [address = ''] = hosts.split(' ')
  execFileSync(nsenter, [...into, 'ip', 'link', 'set', 'lo', 'up'])
  execFileSync(nsenter, [...into, 'ip', 'address', 'add', `${address}/32`, 'dev', 'lo'])
  writeFileSync(join(folder, 'hosts'), `127.0.0.1 localhost\n${hosts}`)
  mounts.bind(join(folder, 'hosts'), '/etc/hosts')
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'))

  const dataFolder = join(folder, 'data')
  const flags = started
    .trim()
    .replace(/^npm start -- /, '')
    .split(' ')
  const ofTheTest = ['--data', dataFolder, '--pretend', '--limits', unlimited, '--log', 'warn']
  const server = openProgram(
    'server',
    () => [...mounts.inside, process.execPath, serverMain, ...flags, ...ofTheTest],
    {
      PATH: process.env.PATH ?? '',
    },
  )
  const close = async (): Promise<void> => {
    await server.leave()
    await mounts.close()
    rmSync(folder, { recursive: true, force: true })
  }
  try {
    server.start()
    const file = join(dataFolder, 'credentials.json')
    await untilStarted(server, 'the server to be ready', () => existsSync(file))
    // What the recipe for curl sets, it sets itself.
    const { CURL_CA_BUNDLE: _, ...env } = environment(join(dataFolder, 'ca.pem'))
    return {
      credentials: JSON.parse(readFileSync(file, 'utf8')),
      run: async (command) =>
        (await run(nsenter, [...into, 'env', '-C', folder, ...command], { env })).stdout,
      close,
    }
  } catch (thrown) {
    await close()
    throw new Error(server.output(), { cause: thrown })
  }
}
