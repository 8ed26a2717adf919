import { spawn, spawnSync } from 'node:child_process'
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { isOnPath } from '../../../../../test/host-tools.ts'
import { needs } from '../../../../../test/needs.ts'
import { packageItems } from './items/index.ts'
import type { Item } from './item.ts'
import { collectScript } from './script.ts'
import { summaryOf, type ItemOutcome } from './summary.ts'

/** Where a program is: what `sh` means in it, and what else there is. */
interface Shell {
  readonly name: string
  readonly programs: string
}

const root = mkdtempSync(join(tmpdir(), 'countermand-shells-'))
afterAll(() => rmSync(root, { recursive: true, force: true }))

const pathOf = (program: string): string =>
  (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, program))
    .find((path) => existsSync(path)) ?? program

/** A folder of programs of which `sh` is the given one; before those of this host, or instead of them. */
function shellOf(name: string, program: string, instead: readonly string[] = []): Shell {
  const folder = join(root, name)
  mkdirSync(folder)
  symlinkSync(program, join(folder, 'sh'))
  for (const each of instead) if (each !== 'sh') symlinkSync(program, join(folder, each))
  return { name, programs: instead.length > 0 ? folder : `${folder}${delimiter}${process.env.PATH ?? ''}` }
}

const shells: Shell[] = ['dash', 'bash']
  .filter((name) => isOnPath(name))
  .map((name) => shellOf(name, pathOf(name)))
if (needs('busybox')) {
  const list = spawnSync('busybox', ['--list'], { encoding: 'utf8' }).stdout.trim().split('\n')
  shells.push(shellOf('busybox alone', pathOf('busybox'), list))
}

let folder = ''
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countermand-collect-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

interface Collected {
  readonly status: number | null
  readonly output: string
  readonly outcomes: readonly ItemOutcome[]
  readonly outcomeOf: (name: string) => string | undefined
}

const about = {
  hostName: 'host',
  system: 'Linux',
  agentVersion: '0',
  actionId: 'id',
  startedAt: 'a',
  endedAt: 'b',
}

async function collect(
  { programs }: Shell,
  options: { items?: readonly Item[]; cap?: number; limitMs?: number } = {},
): Promise<Collected> {
  const script = collectScript(options.limitMs ?? 60_000, { folder, ...options })
  const path = `${folder}.sh`
  spawnSync('tee', [path], { input: script })
  const shell = spawn(join(programs.split(delimiter)[0] ?? '', 'sh'), [path], {
    env: { PATH: programs, HOME: '/root' },
    stdio: ['ignore', 'pipe', 'ignore'],
  })
  const ended = new Promise<number | null>((resolve) => shell.once('exit', resolve))
  const output = (await buffer(shell.stdout)).toString()
  rmSync(path)
  const { outcomes } = summaryOf(readFileSync(join(folder, 'items.tsv'), 'utf8'), about, options.items)
  return {
    status: await ended,
    output,
    outcomes,
    outcomeOf: (name) => outcomes.find((each) => each.name === name)?.outcome,
  }
}

const textOf = (name: string): string => readFileSync(join(folder, name), 'utf8')
const itemOf = (name: string, command: string, needed?: string): Item => ({
  name,
  title: name,
  ways: [needed === undefined ? { command } : { needs: needed, command }],
})
const last = itemOf('last', 'echo here')

/** Processes with this in their command lines. */
const running = (words: string): string[] =>
  readdirSync('/proc').filter((pid) => {
    try {
      return (
        /^\d+$/.test(pid) &&
        readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ').includes(words)
      )
    } catch {
      return false
    }
  })

describe.each(shells)('gathering with $name', (shell) => {
  test('what hangs is killed with all that it started, and the others have their turn', async () => {
    const seconds = `1${process.pid}`
    const hanging = itemOf('hanging', `echo begun; trap '' TERM HUP; sleep ${seconds} & sleep ${seconds}`)
    const began = Date.now()
    const { status, outcomeOf } = await collect(shell, { items: [hanging, last], limitMs: 1000 })
    expect([status, outcomeOf('hanging'), outcomeOf('last')]).toEqual([0, 'timed out after 1 s', 'ok'])
    expect(Date.now() - began).toBeLessThan(10_000)
    expect(textOf('01-hanging.txt')).toBe('begun\n')
    await vi.waitFor(() => expect(running(`sleep ${seconds}`)).toEqual([]))
  })

  test('what an item leaves running when it ends is killed, and its open output holds nothing up', async () => {
    const seconds = `2${process.pid}`
    const leaving = itemOf('leaving', `sleep ${seconds} & echo over`)
    const { outcomes, outcomeOf } = await collect(shell, { items: [leaving, last] })
    expect([outcomeOf('leaving'), outcomeOf('last'), textOf('01-leaving.txt')]).toEqual([
      'ok',
      'ok',
      'over\n',
    ])
    expect(outcomes[0]?.durationMs).toBeLessThan(10_000)
    await vi.waitFor(() => expect(running(`sleep ${seconds}`)).toEqual([]))
  })

  test('no watcher is left of items that are over', async () => {
    const items = Array.from({ length: 20 }, (_, n) => itemOf(`quick-${n}`, 'true'))
    const seconds = Number(`3${process.pid}`)
    await collect(shell, { items, limitMs: seconds * 1000 })
    await vi.waitFor(() => expect(running(`sleep ${seconds}`)).toEqual([]))
  })

  test('what fails, by its status, by a signal or by its words, is said, and the others have their turn', async () => {
    const { status, outcomes } = await collect(shell, {
      items: [
        itemOf('failing', 'echo out; echo error >&2; exit 3'),
        itemOf('killed', 'kill -KILL $$'),
        itemOf('unknown', 'no-such-program'),
        itemOf('wrong', "echo 'unended"),
        last,
      ],
    })
    expect(status).toBe(0)
    expect(outcomes.map(({ outcome, kind }) => [outcome, kind])).toEqual([
      ['failed (status 3)', 'failed'],
      ['failed (status 137)', 'failed'],
      ['failed (status 127)', 'failed'],
      ['failed (status 2)', 'failed'],
      ['ok', 'ok'],
    ])
    expect(textOf('01-failing.txt')).toBe('out\nerror\n')
  })

  test('of the ways the first is gone whose program is there; without one it is said what is missing', async () => {
    const ways = [
      { needs: 'no-such-a', command: 'echo a' },
      { needs: 'no-such-b', command: 'echo b' },
    ]
    const { outcomes } = await collect(shell, {
      items: [
        { name: 'missing', title: '', ways },
        {
          name: 'second',
          title: '',
          ways: [...ways, { needs: 'cat', command: 'echo c' }, { command: 'echo d' }],
        },
        { name: 'everywhere', title: '', ways: [...ways, { command: 'echo d' }] },
      ],
    })
    expect(outcomes.map(({ file, command, outcome }) => [file, command, outcome])).toEqual([
      [null, null, 'not on this host: no-such-a or no-such-b'],
      ['02-second.txt', 'echo c', 'ok'],
      ['03-everywhere.txt', 'echo d', 'ok'],
    ])
  })

  test('output ends at the cap, and a file that is copied as well', async () => {
    const items = [
      itemOf('endless', 'while :; do echo 0123456789; done'),
      itemOf('long', 'head -c 100000 /dev/zero'),
      itemOf('copies', 'mkdir files; head -c 100000 /dev/zero >files/copy 2>/dev/null; echo $?'),
      last,
    ]
    const { outcomes } = await collect(shell, { items, cap: 65_536, limitMs: 2000 })
    expect(outcomes.map(({ outcome }) => outcome)).toEqual([
      expect.stringMatching(/^(timed out after 2 s, )?cut at 65536 bytes$/),
      'cut at 65536 bytes',
      'ok',
      'ok',
    ])
    // Told by an error, not killed by a signal that leaves a crash report.
    expect(textOf('03-copies.txt')).toBe('1\n')
    expect(
      ['01-endless.txt', '02-long.txt', 'files/copy'].map((name) => statSync(join(folder, name)).size),
    ).toEqual([65_536, 65_536, 65_536])
  })

  test('each item is announced before it begins', async () => {
    const seen = itemOf('seen', 'cat ../announced 2>/dev/null; true')
    const { output } = await collect(shell, { items: [seen, itemOf('failing', 'exit 1'), last] })
    expect(output).toBe('1/3 seen\n2/3 failing\n3/3 last\n')
  })

  test('no FIFO and no device is waited for, and no file that is not there is a failure', async () => {
    mkdirSync(join(folder, 'odd'))
    spawnSync('mkfifo', [join(folder, 'odd/fifo')])
    symlinkSync('/dev/zero', join(folder, 'odd/device'))
    const { outcomes } = await collect(shell, {
      items: ['show', 'keep', 'list', 'tree', 'changed', 'search x'].map((word, n) =>
        itemOf(`word-${n}`, `${word} odd/* odd /no/such/file`),
      ),
      limitMs: 5000,
    })
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(Array.from({ length: 6 }, () => 'ok'))
  })

  test('a package of this host is gathered, each item of it on disk as its table says', async () => {
    const { status, outcomes, output } = await collect(shell)
    expect(status).toBe(0)
    expect(output.trim().split('\n')).toHaveLength(packageItems.length)
    expect(outcomes.filter(({ kind }) => kind === 'not reached')).toEqual([])
    for (const { file } of outcomes) if (file !== null) expect(existsSync(join(folder, file))).toBe(true)
    const essential = [
      'processes',
      'process-tree',
      'open-files',
      'connections',
      'listeners',
      'users',
      'mounts',
      'system',
    ]
    expect(outcomes.filter(({ name, kind }) => essential.includes(name) && kind !== 'ok')).toEqual([])
    expect(textOf('01-processes.txt')).toContain('sh')
    expect(textOf('02-process-tree.txt')).toContain(String(process.pid))
    expect(
      readdirSync(folder).filter((name) => !/^(\d\d-[a-z-]+\.txt|items\.tsv|files)$/.test(name)),
    ).toEqual([])
  })
})
