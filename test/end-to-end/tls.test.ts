/** A server that speaks TLS, and a device that trusts its CA and nobody else: everything goes as without. */
import assert from 'node:assert/strict'
import { X509Certificate } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { afterAll, beforeAll, describe, test } from 'vitest'
import type { Pair } from '../../packages/server/src/tls/certificates.ts'
import { vouched } from '../faults/impostor.ts'
import { needs } from '../needs.ts'
import { isRunning } from './api.ts'
import { freePort, openWorld, trust, type World } from './fixture.ts'
import { openProgram, until } from './program.ts'

const timeout = 90_000
const serverMain = join(import.meta.dirname, '../../packages/server/src/main.ts')

const serialOf = ({ cert }: Pair): string => new X509Certificate(cert).serialNumber

describe.skipIf(!needs('root') || !needs('cgroup2'))(
  'a device that has enrolled over TLS',
  { timeout },
  () => {
    let world: World
    beforeAll(async () => {
      const listen = `127.0.0.1:${await freePort()}`
      world = await openWorld({
        serverFlags: ['--tls', 'auto'],
        address: { listen, url: `https://${listen}` },
      })
    }, timeout)
    afterAll(() => world.close(), timeout)

    test('keeps the CA that its token has brought', () => {
      const { ca, server } = JSON.parse(readFileSync(join(world.device.dataFolder, 'identity.json'), 'utf8'))
      const shown = new X509Certificate(readFileSync(join(world.dataFolder, 'ca.pem')))
      assert.equal(ca, shown.raw.toString('base64'))
      assert.match(server, /^https:/)
    })

    test('runs a script and brings its output', async () => {
      const { id } = await world.api.run(world.device.machineId, 'seq 100000')
      assert.equal((await world.api.untilOver(id)).status, 'Succeeded')
      const { script_output: output } = await world.api.result(id)
      assert.ok(output.startsWith('1\n2\n3\n') && output.endsWith('\n99999\n100000\n'))
    })

    test('has a script taken back, with proof', async () => {
      const { id } = await world.api.run(world.device.machineId, 'sleep 600')
      await world.api.untilAction(id, 'running', isRunning)
      await world.api.cancel(id)
      const { status, countermand } = await world.api.untilOver(id)
      assert.deepEqual([status, countermand.proof], ['Cancelled', 'stopped'])
    })

    test('knows it again after a restart of either, since the CA is the same', async () => {
      const before = readFileSync(join(world.dataFolder, 'ca.pem'), 'utf8')
      await world.device.program.leave()
      await world.server.leave()
      await world.startServer()
      await world.device.start()
      assert.equal(readFileSync(join(world.dataFolder, 'ca.pem'), 'utf8'), before)
      const { id } = await world.api.run(world.device.machineId, 'true')
      assert.equal((await world.api.untilOver(id)).status, 'Succeeded')
    })
  },
)

describe('a certificate that was brought', { timeout }, () => {
  const names = ['localhost', '127.0.0.1']
  let folder: string
  let kept: string
  let world: World
  let port: number
  const put = ({ cert, key }: Pair): void => {
    writeFileSync(join(folder, 'cert.pem'), cert)
    writeFileSync(join(folder, 'key.pem'), key)
  }
  const pair = async (): Promise<Pair> => (await vouched(names, new Date(), kept)).pair
  const shown = (): Promise<string> =>
    new Promise((resolve, reject) => {
      const socket = connect({ host: '127.0.0.1', port }, () => {
        resolve(socket.getPeerCertificate().serialNumber)
        socket.end()
      })
      socket.on('error', reject)
    })

  let first: Pair
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countermand-tls-'))
    kept = join(folder, 'ca.key')
    port = await freePort()
    const { pair: made, ca } = await vouched(names, new Date(), kept)
    first = made
    put(first)
    writeFileSync(join(folder, 'ca.pem'), ca)
    trust(join(folder, 'ca.pem'))
    const files = ['--tls-cert', join(folder, 'cert.pem'), '--tls-key', join(folder, 'key.pem')]
    const url = `https://localhost:${port}`
    world = await openWorld({
      serverFlags: [...files, '--public-url', url],
      agentFlags: ['--pretend', '--ca', join(folder, 'ca.pem')],
      address: { listen: `127.0.0.1:${port}`, url },
    })
  }, timeout)
  afterAll(async () => {
    await world.close()
    rmSync(folder, { recursive: true, force: true })
  }, timeout)

  test('is shown, and no CA of ours is offered with it', async () => {
    assert.equal(await shown(), serialOf(first))
    const { caFile } = JSON.parse(readFileSync(join(world.dataFolder, 'credentials.json'), 'utf8'))
    assert.equal(caFile, null)
    const [, body = ''] = (await world.api.enrolmentToken()).split('.')
    assert.doesNotMatch(Buffer.from(body, 'base64url').toString(), /"ca"/)
  })

  test('gives way to the next one in the same files, while an action is under way', async () => {
    const { id } = await world.api.run(world.device.machineId, 'sleep 600')
    await world.api.untilAction(id, 'running', isRunning)
    const next = await pair()
    put(next)
    await until('the next one to be shown', async () => (await shown()) === serialOf(next))
    await world.api.cancel(id)
    assert.equal((await world.api.untilOver(id)).status, 'Cancelled')
  })

  test('stays where the next one cannot be used, and the log says why', async () => {
    const before = await shown()
    put({ ...(await pair()), cert: 'not a certificate' })
    await until('the log to say so', () => /--tls-cert: .*cannot be used/.test(world.server.output()))
    assert.equal(await shown(), before)
    const mended = await pair()
    put(mended)
    await until('the mended one to be shown', async () => (await shown()) === serialOf(mended))
  })

  test('that cannot be used keeps a server from starting, and the flag is named', async () => {
    put({ ...(await pair()), key: 'not a key' })
    const files = ['--tls-cert', join(folder, 'cert.pem'), '--tls-key', join(folder, 'key.pem')]
    const listen = `127.0.0.1:${await freePort()}`
    const command = [
      process.execPath,
      serverMain,
      '--data',
      join(folder, 'data'),
      '--listen',
      listen,
      ...files,
    ]
    const server = openProgram('server', () => command, { PATH: process.env.PATH ?? '' })
    server.start()
    await server.gone()
    assert.match(server.output(), /^--tls-key: .*key\.pem cannot be used/m)
    assert.match(server.output(), /\[server ended: 1\]/)
  })
})
