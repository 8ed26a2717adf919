/** A device says nothing to whoever shows a certificate that its enrolment does not vouch for, and does not give up. */
import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { isRunning } from '../end-to-end/api.ts'
import { agentMain, freePort, openWorld, type World } from '../end-to-end/fixture.ts'
import { openProgram, until, type Program } from '../end-to-end/program.ts'
import { openImpostor, vouched, type Impostor, type Vouched } from './impostor.ts'

const day = 24 * 60 * 60_000
const daysAgo = (days: number): Date => new Date(Date.now() - days * day)

let world: World
let port: number
beforeAll(async () => {
  port = await freePort()
  world = await openWorld({
    serverFlags: ['--tls', 'auto'],
    agentFlags: ['--pretend'],
    address: { listen: `127.0.0.1:${port}`, url: `https://127.0.0.1:${port}` },
  })
  await world.device.program.leave()
})
afterAll(() => world.close())

/** Opens an impostor, starts an agent that is led to it, and closes both. */
async function led(
  { pair }: Vouched,
  flags: (url: string) => readonly string[],
  run: (impostor: Impostor, agent: Program) => Promise<void>,
): Promise<void> {
  const impostor = await openImpostor(pair, port)
  const command = [process.execPath, agentMain, '--pretend', ...flags(impostor.url)]
  const agent = openProgram('agent', () => command, { PATH: process.env.PATH ?? '' })
  try {
    agent.start()
    await run(impostor, agent)
  } finally {
    await agent.kill()
    await impostor.close()
  }
}

/** An agent that has enrolled, and is told another address. */
const enrolled = (url: string): readonly string[] => ['--data', world.device.dataFolder, '--server', url]
const serversCa = (): string => join(world.dataFolder, 'keys/ca.key')

/** A token of the server’s that leads elsewhere. */
const tokenTo = async (url: string): Promise<string> => {
  const [prefix, body = ''] = (await world.api.enrolmentToken()).split('.')
  const token = JSON.parse(Buffer.from(body, 'base64url').toString()) as object
  return `${prefix}.${Buffer.from(JSON.stringify({ ...token, server: url })).toString('base64url')}`
}

const impostors: readonly (readonly [string, () => Promise<Vouched>, RegExp])[] = [
  [
    'by another CA',
    () => vouched(['127.0.0.1'], new Date()),
    /the server was not trusted, try 1: its certificate is not by the CA that this device trusts/,
  ],
  [
    'for another name',
    () => vouched(['countermand.example'], new Date(), serversCa()),
    /the server was not trusted, try 1: its certificate is for another name/,
  ],
  [
    'that has expired',
    () => vouched(['127.0.0.1'], daysAgo(91), serversCa()),
    /the server was not trusted, try 1: its certificate has expired/,
  ],
  [
    'that is not valid yet',
    () => vouched(['127.0.0.1'], daysAgo(-2), serversCa()),
    /the server was not trusted, try 1: its certificate is not valid yet/,
  ],
]

describe.each(impostors)('a certificate %s', (_, make, says) => {
  test('is told nothing, says why, and is asked again', async () => {
    await led(await make(), enrolled, async (impostor, agent) => {
      await until('the agent to say so', () => says.test(agent.output()))
      await until('a second and a third try', () => impostor.visited() >= 3)
      assert.equal(impostor.heard(), '')
      assert.doesNotMatch(agent.output(), /^connected/m)
    })
  })
})

describe('a token that brings a CA', () => {
  test('is not shown to a server by another CA, though this host would trust it', async () => {
    const other = await vouched(['127.0.0.1'], new Date())
    const impostor = await openImpostor(other.pair, port)
    const known = join(world.folder, 'other.pem')
    writeFileSync(known, other.ca)
    const command = [process.execPath, agentMain, '--pretend', '--data', world.scratch('new')]
    const token = await tokenTo(impostor.url)
    const env = { PATH: process.env.PATH ?? '', NODE_EXTRA_CA_CERTS: known }
    const agent = openProgram('agent', () => [...command, '--enrol', token], env)
    try {
      agent.start()
      await agent.gone()
      assert.match(
        agent.output(),
        /was not reached: its certificate is not by the CA that this device trusts/,
      )
      assert.match(agent.output(), /The token is still good/)
      assert.ok(impostor.visited() > 0)
      assert.equal(impostor.heard(), '')
    } finally {
      await agent.kill()
      await impostor.close()
    }
  })
})

describe('somebody whom the device was told to trust (--ca)', () => {
  test('hears it, so that silence above means something', async () => {
    const other = await vouched(['127.0.0.1'], new Date())
    const file = join(world.folder, 'trusted.pem')
    writeFileSync(file, other.ca)
    const flags = (url: string): readonly string[] => [...enrolled(url), '--ca', file]
    await led(other, flags, async (impostor, agent) => {
      await until('the agent to be connected', () => /^connected/m.test(agent.output()))
      assert.match(impostor.heard(), /POST \/device\/sync/)
    })
  })

  test('is the only one: the server’s own CA is not trusted beside it', async () => {
    const other = await vouched(['127.0.0.1'], new Date())
    const file = join(world.folder, 'only.pem')
    writeFileSync(file, other.ca)
    const command = [
      process.execPath,
      agentMain,
      '--pretend',
      '--data',
      world.device.dataFolder,
      '--ca',
      file,
    ]
    const agent = openProgram('agent', () => command, { PATH: process.env.PATH ?? '' })
    try {
      agent.start()
      await until('the agent to say so', () => /was not trusted, try 1/.test(agent.output()))
    } finally {
      await agent.kill()
    }
  })
})

test('led back to its server, the device goes on as if nothing had been', async () => {
  await world.device.start()
  const { id } = await world.api.run(world.device.machineId, 'sleep 600')
  await world.api.untilAction(id, 'running', isRunning)
  await world.api.cancel(id)
  assert.equal((await world.api.untilOver(id)).status, 'Cancelled')
})
