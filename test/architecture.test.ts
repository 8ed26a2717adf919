/** What a rule forbids, a test forbids; and what a test forbids is planted below, to see it found. */
import assert from 'node:assert/strict'
import { describe, test } from 'vitest'
import { clocksAndDice } from './architecture/clocks.ts'
import { forbiddenImports } from './architecture/imports.ts'
import * as sizes from './architecture/sizes.ts'
import { tracesOfAMachine } from './architecture/traces.ts'
import { readTree, type Source } from './architecture/tree.ts'

const tree = readTree()

test.each<[string, (sources: readonly Source[]) => string[]]>([
  ['everyone imports only whom the table allows', forbiddenImports],
  ['contract, core and app ask no clock and throw no dice', clocksAndDice],
  ['no file is over 400 lines', sizes.longFiles],
  ['most files are short', sizes.longSpread],
  ['no port has more than 8 methods', sizes.widePorts],
  ['no function takes more than 4 parameters', sizes.longParameterLists],
  ['no function is over 50 lines', sizes.longFunctions],
  ['nothing is any', sizes.anys],
  ['no folder has more than 25 files', sizes.fullFolders],
  ['no file names a machine or a registry', tracesOfAMachine],
])('%s', (_, rule) => {
  assert.deepEqual(rule(tree), [])
})

describe('a forbidden import is found', () => {
  const allowed: [string, string][] = [
    ['contract/src/a.ts', "import { Type } from 'typebox'; export * from './actions/index.ts'"],
    ['server/src/core/a.ts', "import { actionTypes } from '@countermand/contract'; import './odata/lex.ts'"],
    [
      'server/src/app/a.ts',
      "import type { Bus } from './ports.ts'; import { advance } from '../core/action.ts'",
    ],
    ['server/src/store/sqlite/file.ts', "import { DatabaseSync } from 'node:sqlite'"],
    ['server/src/store/postgres/open.ts', "import { Pool } from 'pg'; import { Kysely } from 'kysely'"],
    ['server/src/main.ts', "import { compose } from './compose.ts'"],
    ['server/src/http/testing/a.ts', "import '../../compose.ts'"],
    ['server/src/core/a.test.ts', "import 'fast-check'"],
    ['agent/src/executors/a.ts', "import type { Host } from '../host/index.ts'"],
  ]
  test.each(allowed)('%s may say %s', (path, text) => {
    assert.deepEqual(forbiddenImports([{ path: `packages/${path}`, text }]), [])
  })

  const forbidden: [string, string][] = [
    ['contract/src/a.ts', "import type { Server } from 'node:http'"],
    ['contract/src/a.ts', "type Action = import('../../server/src/core/action.ts').Action"],
    ['server/src/core/a.ts', "export { find } from '../store/actions.ts'"],
    ['server/src/core/a.ts', "export * from 'node:fs'"],
    ['server/src/app/a.ts', "const kysely = await import('kysely')"],
    ['server/src/app/a.ts', 'const module = await import(`./${name}.ts`)'],
    ['server/src/store/actions.ts', "import { DatabaseSync } from 'node:sqlite'"],
    ['server/src/store/actions.ts', "import { cancelAction } from '../app/cancel-action.ts'"],
    ['server/src/http/a.ts', "import type { Tables } from '../store/schema.ts'"],
    ['server/src/http/a.ts', "import { compose } from '../compose.ts'"],
    ['server/src/bus/a.ts', "import { sign } from '../signing/key-file.ts'"],
    ['server/src/config.ts', "import { advance } from './core/action.ts'"],
    ['server/src/tour/main.ts', "import '../main.ts'"],
    ['agent/src/executors/a.ts', "import { scope } from '../host/scope.ts'"],
    ['agent/src/executors/a.ts', "import { type Scope } from '../host/scope.ts'"],
    ['agent/src/executors/a.ts', "import { spawn } from 'node:child_process'"],
    ['agent/src/host/a.ts', "import { fits } from '@countermand/contract'"],
    ['agent/src/loop.ts', "import '@countermand/server'"],
    ['another/src/a.ts', "import 'fastify'"],
  ]
  test.each(forbidden)('%s may not say %s', (path, text) => {
    assert.equal(forbiddenImports([{ path: `packages/${path}`, text }]).length, 1)
  })
})

describe('every other rule can fail', () => {
  const core = 'packages/server/src/core/a.ts'
  const app = 'packages/server/src/app/a.ts'
  const contract = 'packages/contract/src/a.ts'
  const inOneFolder = Array.from({ length: 26 }, (_, n) => ({ path: `packages/agent/src/${n}.ts`, text: '' }))

  const planted: [string, (sources: readonly Source[]) => string[], Source[]][] = [
    ['Date.now', clocksAndDice, [{ path: core, text: 'export const now = () => Date.now()' }]],
    ['new Date()', clocksAndDice, [{ path: app, text: 'export const now = new Date()' }]],
    ['Math.random', clocksAndDice, [{ path: contract, text: 'export const id = Math.random()' }]],
    ['randomUUID', clocksAndDice, [{ path: app, text: 'export const id = () => crypto.randomUUID()' }]],
    ['performance.now', clocksAndDice, [{ path: app, text: 'performance.now()' }]],
    ['setTimeout', clocksAndDice, [{ path: core, text: 'setTimeout(() => {}, 1)' }]],
    ['a long file', sizes.longFiles, [{ path: 'bench/a.mjs', text: lines(401) }]],
    ['a middling file', sizes.longSpread, [{ path: core, text: lines(91) }]],
    ['a wide port', sizes.widePorts, [{ path: 'packages/server/src/app/ports.ts', text: port(9) }]],
    ['five parameters', sizes.longParameterLists, [{ path: app, text: 'type F = (a, b, c, d, e) => void' }]],
    [
      'a long function',
      sizes.longFunctions,
      [{ path: app, text: `const f = () => {\n${'f()\n'.repeat(49)}}` }],
    ],
    ['any', sizes.anys, [{ path: core, text: 'export const a: any = 1' }]],
    ['a full folder', sizes.fullFolders, inOneFolder],
    ['a path', tracesOfAMachine, [{ path: 'README.md', text: ['see ', 'work', 'main'].join('/') }]],
    ['a host', tracesOfAMachine, [{ path: 'a.json', text: ['https://registry', 'npmjs', 'org'].join('.') }]],
  ]
  test.each(planted)('by %s', (_, rule, sources) => {
    assert.notDeepEqual(rule(sources), [])
  })

  const harmless: [string, (sources: readonly Source[]) => string[], Source[]][] = [
    [
      'a date from a number',
      clocksAndDice,
      [{ path: core, text: 'export const at = new Date(0) // not Date.now()' }],
    ],
    ['a timer in a use case', clocksAndDice, [{ path: app, text: 'setTimeout(() => {}, 1)' }]],
    ['a clock in the store', clocksAndDice, [{ path: 'packages/server/src/store/a.ts', text: 'Date.now()' }]],
    ['eight methods', sizes.widePorts, [{ path: 'packages/server/src/app/ports.ts', text: port(8) }]],
    [
      'four parameters and this',
      sizes.longParameterLists,
      [{ path: app, text: 'function f(this: X, a, b, c, d) {}' }],
    ],
  ]
  test.each(harmless)('but not by %s', (_, rule, sources) => {
    assert.deepEqual(rule(sources), [])
  })
})

const lines = (count: number): string => 'export {}\n'.repeat(count)

function port(methods: number): string {
  const members = Array.from({ length: methods }, (_, n) => (n % 2 ? `a${n}(): void` : `a${n}: () => void`))
  return `export interface Port { readonly name: string; ${members.join('; ')} }`
}
