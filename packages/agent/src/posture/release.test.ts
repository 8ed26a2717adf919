/** A device that is cut off is lifted by an answer that its server has signed over its challenge, and by nothing else. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, test } from 'vitest'
import {
  Release,
  aspects,
  challengePrefix,
  fits,
  messageTypes,
  type Posture as Document,
} from '@countermand/contract'
import type { Identity } from '../identity.ts'
import { Machine, inFolder, makeOrderKey, textOf, type OrderKey } from '../testing/fakes.ts'
import { Told, full, grounds, openPosture } from '../testing/posture.ts'
import { barrierOf } from './isolation.ts'
import { carryOut, type Command } from './commands.ts'
import { releasedFile } from './released-file.ts'

const machineId = 'd'.repeat(40)

interface Trial {
  readonly folder: string
  readonly machine: Machine
  readonly key: OrderKey
  readonly document: Document
  readonly said: string[]
  readonly ask: (command: Command, given?: { answer?: string; input?: string }) => Promise<number>
  /** What the last challenge asks for. */
  readonly asked: () => Release
}

/** A host that is isolated, by an agent that does not run. */
const withHost = (run: (trial: Trial) => Promise<void>, document: Document | null = full(4)): Promise<void> =>
  inFolder(async (folder) => {
    const machine = new Machine()
    const key = await makeOrderKey()
    if (document !== null) {
      const posture = await openPosture(folder, machine, { news: new Told() })
      await posture.take(document)
      machine.seconds += 1
      await posture.answered({ sentAt: machine.seconds })
      await posture.close()
    }
    const identity: Identity = {
      machineId,
      server: 'https://server.example',
      orderKey: key.thumbprint,
      ca: null,
      keyThumbprint: 'k',
      epoch: null,
      sign: () => Promise.reject(new Error('nothing is signed here')),
    }
    const said: string[] = []
    const host = machine.host(folder)
    const say = (line: string): void => void said.push(line)
    const ask: Trial['ask'] = (
      command,
      { answer = null, input = '' }: { answer?: string | null; input?: string } = {},
    ) =>
      carryOut(command, {
        dataFolder: folder,
        identity,
        host,
        answer,
        words: [],
        say,
        input: Readable.from([input]),
      })
    const asked = (): Release => {
      const text = said.findLast((line) => line.startsWith(challengePrefix)) ?? ''
      const found: unknown = JSON.parse(
        Buffer.from(text.slice(challengePrefix.length), 'base64url').toString(),
      )
      assert.ok(fits(Release, found))
      return found
    }
    await run({ folder, machine, key, document: document ?? full(0), said, ask, asked })
  })

const sign = (key: OrderKey, challenge: object, type: string = messageTypes.release): Promise<string> =>
  key.sign(challenge, type)

test('an answer by the server to the challenge lifts what stands, once', () =>
  withHost(async ({ folder, machine, key, said, ask, asked }) => {
    assert.equal(await ask('release'), 1, 'there was no answer yet')
    assert.notEqual(machine.firewall.kernel, null)
    assert.deepEqual(asked().generations, { isolation: 4 })
    assert.equal(asked().machineId, machineId)
    assert.ok(said.some((line) => line.includes(`POST /api/countermand/devices/${machineId}/release`)))
    const answer = await sign(key, asked())
    assert.equal(await ask('release', { answer }), 0)
    assert.equal(machine.firewall.kernel, null)
    assert.equal((await releasedFile(folder, 'isolation').read())?.nonce, asked().nonce)
    assert.equal(existsSync(join(folder, 'challenge.json')), false)
    assert.equal(await ask('release', { answer }), 1)
    assert.match(said.at(-1) ?? '', /No challenge is open/)
  }))

test('the release is on disk before the barrier is lifted', () =>
  withHost(async ({ folder, machine, key, ask, asked }) => {
    await ask('release')
    let onDisk = ''
    machine.firewall.before = () => {
      onDisk = textOf(join(folder, 'released-isolation.json'))
    }
    await ask('release', { answer: await sign(key, asked()) })
    assert.match(onDisk, new RegExp(asked().nonce))
  }))

describe('nothing is lifted by', () => {
  const wrong: Record<string, (challenge: Release, key: OrderKey) => Promise<string>> = {
    'an answer by another key': async (challenge) => sign(await makeOrderKey(), challenge),
    'a message of another kind': (challenge, key) => sign(key, challenge, messageTypes.reply),
    'an answer for another device': (challenge, key) =>
      sign(key, { ...challenge, machineId: 'e'.repeat(40) }),
    'an answer for another generation': (challenge, key) =>
      sign(key, { ...challenge, generations: { isolation: 5 } }),
    'an answer to an older challenge': (challenge, key) => sign(key, { ...challenge, nonce: 'A'.repeat(22) }),
    'the challenge itself': (challenge) =>
      Promise.resolve(challengePrefix + Buffer.from(JSON.stringify(challenge)).toString('base64url')),
    words: () => Promise.resolve('please'),
  }
  test.each(Object.keys(wrong))('%s', (name) =>
    withHost(async ({ folder, machine, key, document, said, ask, asked }) => {
      await ask('release')
      const answer = (await wrong[name]?.(asked(), key)) ?? ''
      assert.equal(await ask('release', { answer }), 1)
      assert.match(said.at(-1) ?? '', /nothing was changed/)
      assert.deepEqual(machine.firewall.kernel, barrierOf(document, 'https://server.example'))
      assert.equal(await releasedFile(folder, 'isolation').read(), null)
      assert.equal(await ask('release', { answer: await sign(key, asked()) }), 0, 'the challenge stays open')
    }),
  )
})

test('a challenge is fresh each time, and the one before is worth nothing', () =>
  withHost(async ({ key, ask, asked }) => {
    await ask('release')
    const first = asked()
    await ask('release')
    assert.notEqual(asked().nonce, first.nonce)
    assert.equal(await ask('release', { answer: await sign(key, first) }), 1)
  }))

test('where nothing stands there is nothing to lift', () =>
  withHost(async ({ said, ask }) => {
    assert.equal(await ask('release'), 1)
    assert.deepEqual(said, ['Nothing stands here that could be lifted.'])
  }, null))

test('a barrier that an earlier installation has left can be lifted', () =>
  withHost(async ({ machine, key, ask, asked }) => {
    machine.firewall.kernel = barrierOf(full(9), 'https://server.example')
    await ask('release')
    assert.equal(await ask('release', { answer: await sign(key, asked()) }), 0)
    assert.equal(machine.firewall.kernel, null)
  }, null))

describe('restore', () => {
  test('puts back what stands, without a server', () =>
    withHost(async ({ machine, document, said, ask }) => {
      machine.reboot()
      assert.equal(await ask('restore'), 0)
      assert.deepEqual(machine.firewall.kernel, barrierOf(document, 'https://server.example'))
      assert.deepEqual(said, ['The host is isolated (Full).', 'The host is not restricted.'])
    }))

  test('puts nothing back that was lifted on the spot', () =>
    withHost(async ({ machine, key, ask, asked }) => {
      await ask('release')
      await ask('release', { answer: await sign(key, asked()) })
      machine.reboot()
      await ask('restore')
      assert.equal(machine.firewall.kernel, null)
    }))
})

describe('status', () => {
  test('says who, what, why, and whether the kernel has it', () => {
    const allow = [{ address: '192.0.2.0/24', ports: [443] }, { owner: 'backup' }]
    const document = full(4, { type: 'Selective', allow })
    return withHost(async ({ machine, said, ask }) => {
      assert.equal(await ask('status'), 0)
      const text = said.join('\n')
      assert.match(text, new RegExp(`device ${machineId} of https://server.example`))
      assert.match(
        text,
        new RegExp(`Generation 4: isolated \\(Selective\\) by action ${document.action}, since `),
      )
      assert.match(text, /192\.0\.2\.1/)
      assert.match(text, /192\.0\.2\.0\/24 tcp 443; processes of backup/)
      assert.match(text, /The host stands just so\./)
      machine.firewall.kernel = null
      await ask('status')
      assert.match(said.join('\n'), /The host stands otherwise: the table is gone/)
    }, document)
  })

  test('says that a challenge is open, and that it was released', () =>
    withHost(async ({ key, said, ask, asked }) => {
      await ask('release')
      await ask('status')
      assert.match(said.join('\n'), /A challenge to lift what stands is open/)
      await ask('release', { answer: await sign(key, asked()) })
      said.length = 0
      await ask('status')
      const text = said.join('\n')
      assert.match(text, /Nothing stands\.\n +It was released on the spot at .*\n +The host stands just so\./)
      assert.doesNotMatch(text, /challenge/i)
    }))
})

/** By an agent that does not run any more. */
const restricted = (run: (trial: Trial) => Promise<void>): Promise<void> =>
  withHost(async (trial) => {
    const { folder, machine } = trial
    const { control, full: restriction } = grounds.restriction(machine)
    const posture = await openPosture(folder, machine, { news: new Told(), control })
    await posture.take(restriction(2))
    await posture.close()
    assert.equal(machine.execution.isRestricted, true)
    await run(trial)
  })

describe('a host that is restricted as well', () => {
  test('is freed of both by one answer', () =>
    restricted(async ({ folder, machine, key, said, ask, asked }) => {
      await ask('release')
      assert.deepEqual(asked().generations, { isolation: 4, restriction: 2 })
      assert.equal(await ask('release', { answer: await sign(key, asked()) }), 0)
      assert.equal(machine.firewall.kernel, null)
      assert.equal(machine.execution.isRestricted, false)
      assert.match(said.at(-1) ?? '', /from the network or from starting programs/)
      machine.reboot()
      await ask('restore')
      assert.equal(machine.execution.isRestricted, false)
      for (const aspect of aspects)
        assert.equal((await releasedFile(folder, aspect).read())?.nonce, asked().nonce)
    }))

  test('is asked again where one of them could not be lifted', () =>
    restricted(async ({ machine, key, ask, asked }) => {
      await ask('release')
      machine.execution.failing = 1
      const answer = await sign(key, asked())
      await assert.rejects(ask('release', { answer }))
      assert.equal(machine.execution.isRestricted, true)
      assert.equal(await ask('release', { answer }), 0)
      assert.equal(machine.execution.isRestricted, false)
    }))

  test('stands so again after a boot', () =>
    restricted(async ({ machine, said, ask }) => {
      machine.reboot()
      assert.equal(await ask('restore'), 0)
      assert.equal(machine.execution.isRestricted, true)
      assert.deepEqual(said, [
        'The host is isolated (Full).',
        'The host is restricted to programs that its packages have installed.',
      ])
    }))

  test('is restricted again after a boot although it cannot be isolated, and that is said', () =>
    restricted(async ({ machine, said, ask }) => {
      machine.reboot()
      machine.firewall.failing = 1
      assert.equal(await ask('restore'), 1)
      assert.equal(machine.execution.isRestricted, true)
      assert.match(said[0] ?? '', /isolation of this host could not be put back: .*the kernel says no/)
    }))

  test('says what stands of each, and whether it does', () =>
    restricted(async ({ machine, said, ask }) => {
      await ask('status')
      assert.match(
        said.join('\n'),
        /Isolation:\n {2}Generation 4: isolated \(Full\).*The host stands just so\..*Restriction.*:\n {2}Generation 2: restricted to programs that its packages have installed by action .*The host stands just so\./s,
      )
      said.length = 0
      machine.execution.isRestricted = false
      await ask('status')
      assert.match(said.at(-1) ?? '', /The host stands otherwise: the daemon is gone/)
    }))
})
