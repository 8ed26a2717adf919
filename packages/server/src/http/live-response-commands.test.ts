/** Several commands in one live response: what is refused in them, how they are pinned, and how they are shown. */
import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import { describe, test } from 'vitest'
import { getFileLimit, type MachineAction, type Statement } from '@countermand/contract'
import { enrol, type TestDevice } from '../testing/device.ts'
import { scenarios, type Scenario, type Subject } from '../testing/scenarios.ts'
import {
  expectStatus,
  form,
  impatient,
  minute,
  openServer,
  runScript,
  unlimited,
  type TestServer,
} from '../testing/server.ts'

const commandsOf = (...commands: string[]): Statement['capabilities'] => ({
  LiveResponse: { able: true, commands },
})
const everything = commandsOf('PutFile', 'RunScript', 'GetFile')

const param = (key: string, value: string) => ({ key, value })
const putFile = (fileName: string): object => ({ type: 'PutFile', params: [param('FileName', fileName)] })
const getFile = (path: string): object => ({ type: 'GetFile', params: [param('Path', path)] })
const [put, run, get] = [putFile('run.sh'), runScript('run.sh', `-f 'a b'`), getFile('/var/log/x y')]
const asked = (...commands: readonly object[]): object => ({ Comment: 'case 17', Commands: commands })

const pathOf = ({ machineId }: TestDevice): string => `/api/machines/${machineId}/runliveresponse`
const subject: Subject<TestDevice> = {
  method: 'POST',
  path: pathOf,
  given: (server) => enrol(server, { capabilities: everything }),
  as: ['Machine.LiveResponse'],
}

const order = /order: PutFile, RunScript, GetFile/
const wrong: readonly (readonly [string, readonly object[], string, RegExp])[] = [
  ['a script before a file that is put', [run, put], 'InvalidInput', order],
  ['a file that is got before one that is put', [get, put], 'InvalidInput', order],
  ['a file that is got before a script', [put, get, run], 'InvalidInput', order],
  [
    'a parameter that another type has',
    [put, { type: 'RunScript', params: [param('FileName', 'run.sh')] }],
    'InvalidInput',
    /^Commands\[1\]: RunScript has no parameter FileName; it takes ScriptName, Args\.$/,
  ],
  [
    'a parameter in another case',
    [{ type: 'GetFile', params: [param('path', '/x')] }],
    'InvalidInput',
    /^Commands\[0\]: GetFile has no parameter path; it takes Path\.$/,
  ],
  [
    'arguments for a file that is put',
    [{ type: 'PutFile', params: [param('FileName', 'run.sh'), param('Args', '-x')] }],
    'InvalidInput',
    /Commands\[0\]: PutFile has no parameter Args/,
  ],
  [
    'arguments for a file that is got',
    [run, { type: 'GetFile', params: [param('Path', '/x'), param('Args', '-x')] }],
    'InvalidInput',
    /Commands\[1\]: GetFile has no parameter Args/,
  ],
  ...(['FileName', 'ScriptName', 'Path'] as const).flatMap((key) => {
    const type = { FileName: 'PutFile', ScriptName: 'RunScript', Path: 'GetFile' }[key]
    const cases: readonly (readonly [string, readonly object[]])[] = [
      ['no', []],
      ['an empty', [param(key, '')]],
    ]
    return cases.map(
      ([word, params]) =>
        [
          `${word} ${key} in the second`,
          [
            { type, params: [param(key, key === 'Path' ? '/x' : 'run.sh')] },
            { type, params },
          ],
          'MissingRequiredParameter',
          new RegExp(`^Commands\\[1\\]: ${key} is missing\\.$`),
        ] as const,
    )
  }),
  [
    'the same parameter twice',
    [{ type: 'GetFile', params: [param('Path', '/x'), param('Path', '/x')] }],
    'InvalidInput',
    /Commands\[0\]: Path is given more than once/,
  ],
  [
    'the same optional parameter twice',
    [
      {
        type: 'RunScript',
        params: [param('ScriptName', 'run.sh'), param('Args', 'a'), param('Args', 'b')],
      },
    ],
    'InvalidInput',
    /Commands\[0\]: Args is given more than once/,
  ],
  ['a relative path', [getFile('var/log/x')], 'InvalidInput', /Commands\[0\]: Path must be absolute/],
  ['a path of another system', [getFile('C:\\t\\out.zip')], 'InvalidInput', /Path must be absolute/],
  ['a NUL in a path', [get, getFile('/x\0y')], 'InvalidInput', /Commands\[1\]: Path has a NUL/],
  ['a path of 4097 bytes', [getFile(`/${'x'.repeat(4096)}`)], 'InvalidInput', /more than 4096 bytes/],
  ['a path whose letters have too many bytes', [getFile(`/${'ü'.repeat(2048)}`)], 'InvalidInput', /4096/],
  [
    'a file that the library does not have',
    [putFile('tool')],
    'InvalidInput',
    /^The file tool was not found/,
  ],
  ['a file with a NUL in its name', [putFile('to\0ol')], 'InvalidInput', /was not found in the library/],
  [
    'a script that the library does not have',
    [put, runScript('tool'), get],
    'InvalidInput',
    /^The script tool was not found/,
  ],
  [
    'a quote that is never closed in the third',
    [put, run, runScript('run.sh', `"x`)],
    'InvalidInput',
    /Args/,
  ],
  ['more than a hundred of them', Array.from({ length: 101 }, () => get), 'InvalidRequestBody', /Commands/],
]

const beyond: readonly (readonly [string, Statement['capabilities'], readonly object[], RegExp])[] = [
  [
    'one that runs scripts only: a second script',
    commandsOf('RunScript'),
    [run, run],
    /Several commands.*send one RunScript/,
  ],
  ['one that has said nothing: a second script', {}, [run, run], /Several commands/],
  ['one that says no commands: a second script', { LiveResponse: { able: true } }, [run, run], /Several/],
  [
    'one that runs scripts only: a file that is got',
    commandsOf('RunScript'),
    [get],
    /^GetFile needs a newer agent; the agent on this device runs: RunScript\.$/,
  ],
  [
    'one that puts no files: a file that is put',
    commandsOf('RunScript', 'GetFile'),
    [put, run, get],
    /^PutFile needs a newer agent.*RunScript, GetFile\.$/,
  ],
]

const refusals: readonly Scenario<TestDevice>[] = [
  ...wrong.map(([name, commands, code, says]): Scenario<TestDevice> => ({
    name: `with ${name} is refused`,
    body: asked(...commands),
    status: 400,
    code,
    says: [says],
    events: [],
  })),
  ...beyond.map(([name, capabilities, commands, says]): Scenario<TestDevice> => ({
    name: `asks more than an agent does, ${name}`,
    given: (server) => enrol(server, { capabilities }),
    body: asked(...commands),
    status: 400,
    code: 'ClientVersionNotSupported',
    says: [says],
    events: [],
  })),
]

const requested = ['action.requested']
const right: readonly (readonly [string, readonly object[]])[] = [
  ['one of each', [put, run, get]],
  ['several of each', [put, put, run, run, get, get]],
  ['no script', [put, get]],
  ['a hundred', Array.from({ length: 100 }, () => get)],
  ['a path of 4096 bytes', [getFile(`/${'x'.repeat(4095)}`)]],
  ['arguments that are empty', [runScript('run.sh', '')]],
]

const accepted: readonly Scenario<TestDevice>[] = [
  ...right.map(([name, commands]): Scenario<TestDevice> => ({
    name: `with ${name} is accepted, and shows each as it was asked for`,
    body: asked(...commands),
    status: 201,
    reply: {
      commands: commands.map((command, index) => ({
        index,
        startTime: null,
        endTime: null,
        commandStatus: 'Created',
        errors: [],
        command,
      })),
    },
    events: requested,
    check: async ({ body }, _made, server) => {
      const { id } = body as MachineAction
      assert.deepEqual(await server.read(id), body, 'then as now')
    },
  })),
  {
    name: 'on an agent that lists two of the three may have several of those',
    given: (server) => enrol(server, { capabilities: commandsOf('RunScript', 'GetFile') }),
    body: asked(run, run, get),
    status: 201,
    events: requested,
  },
  {
    name: 'offers the device its files by their hash, its arguments split, and how long each may take; the sum for all',
    body: asked(put, run, get),
    status: 201,
    events: requested,
    check: async (_answer, made) => {
      const [offer] = (await made.sync()).offers
      const content = '#!/bin/sh\necho ok\n'
      const pinned = { sha256: createHash('sha256').update(content).digest('hex'), size: content.length }
      const script = { scriptName: 'run.sh', args: ['-f', 'a b'], asked: `-f 'a b'` }
      assert.deepEqual(offer?.parameters, {
        commands: [
          { type: 'PutFile', fileName: 'run.sh', ...pinned, limitMs: 30 * minute },
          { type: 'RunScript', ...script, ...pinned, limitMs: 10 * minute },
          { type: 'GetFile', path: '/var/log/x y', limit: getFileLimit, limitMs: 30 * minute },
        ],
      })
      assert.equal(offer?.runLimitMs, 70 * minute)
    },
  },
]

scenarios('POST /api/machines/:id/runliveresponse with commands', subject, [...refusals, ...accepted])

/** Asks for these commands on a device of its own. */
const ask = async (server: TestServer, commands: readonly object[]) => {
  const made = await enrol(server, { capabilities: everything })
  const sent = { path: pathOf(made), token: await server.token('Machine.LiveResponse') }
  const answer = await server.ask<MachineAction>({ method: 'POST', ...sent, body: asked(...commands) })
  return { made, answer }
}

/** Puts a file of each size into the library, named after it. */
const uploaded = async (server: TestServer, sizes: readonly number[]): Promise<void> => {
  const token = await server.token('Library.Manage')
  for (const size of sizes) {
    const sent = { ...form(`of-${size}`, Buffer.alloc(size)), token }
    expectStatus(200, await server.ask({ method: 'POST', path: '/api/libraryfiles', ...sent }))
  }
}

describe('as configured', () => {
  test('a file beyond the limit is not put, and both sizes are named; a script may be as large', async () => {
    const server = await openServer({ flags: [...unlimited, ...impatient, '--put-limit', '1000'] })
    await uploaded(server, [1000, 1001])
    const { answer } = await ask(server, [putFile('of-1000'), putFile('of-1001')])
    expectStatus(400, answer)
    assert.match(answer.text, /"InvalidInput".*Commands\[1\]: of-1001 has 1001 bytes.* at most 1000 /)
    expectStatus(201, (await ask(server, [putFile('of-1000'), runScript('of-1001')])).answer)
    await server.close()
  })

  test('ten mebibytes may be put, and not a byte more, where nobody has said anything', async () => {
    const server = await openServer()
    const most = 10 * 1024 * 1024
    await uploaded(server, [most, most + 1])
    expectStatus(201, (await ask(server, [putFile(`of-${most}`)])).answer)
    const { answer } = await ask(server, [putFile(`of-${most + 1}`)])
    expectStatus(400, answer)
    assert.match(answer.text, /10485761 bytes.*10485760/)
    await server.close()
  })

  test('each command has the time that its type has', async () => {
    const limits = 'LiveResponse=5,PutFile=7,GetFile=11,CollectInvestigationPackage=13'
    const server = await openServer({ flags: [...unlimited, ...impatient, '--run-limits', limits] })
    await server.upload('run.sh')
    const { made } = await ask(server, [put, put, run, get])
    const [offer] = (await made.sync()).offers
    assert.equal(offer?.runLimitMs, (7 + 7 + 5 + 11) * 1000)
    assert.ok(offer !== undefined && 'commands' in offer.parameters)
    assert.deepEqual(
      offer.parameters.commands.map(({ limitMs }) => limitMs),
      [7_000, 7_000, 5_000, 11_000],
    )
    await server.close()
  })
})
