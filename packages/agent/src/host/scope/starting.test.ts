import { appendFileSync, existsSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { needs } from '../../../../../test/needs.ts'
import { ScopeGone, type Launch } from '../types.ts'
import {
  inAnotherAgent,
  never,
  textOf,
  until,
  withTrial,
  type Mechanism,
  type Trial,
} from './testing/trial.ts'

const mechanisms: readonly Mechanism[] = ['cgroup', 'sweep']

/** Runs one command to its end, and returns its exit status and output. */
async function runIn({ scopes, make }: Trial, launchOf: (launch: Launch) => Launch) {
  const made = await make()
  await scopes.start(made.scope, launchOf(made.launch('')))
  const status = await scopes.ended(made.scope, made.folder, never)
  return { status, stdout: textOf(join(made.folder, 'stdout')), stderr: textOf(join(made.folder, 'stderr')) }
}
/** How many files and folders this process watches. */
function watches(): number {
  const all = readdirSync('/proc/self/fdinfo').map((fd) => textOf(`/proc/self/fdinfo/${fd}`))
  return all.join().split('inotify wd').length
}

const sh = (text: string) => (launch: Launch) => ({ ...launch, command: ['/bin/sh', '-c', text] })

describe.skipIf(!needs('root') || !needs('cgroup2')).each(mechanisms)(
  'starting in a scope (%s)',
  (mechanism) => {
    test.each([
      [0, 'exit 0'],
      [3, 'exit 3'],
      [137, 'kill -KILL $$'],
      [143, 'kill -TERM $$'],
      [127, 'exec /no/such/program'],
    ])('the exit status is %i for: %s', (expected, text) =>
      withTrial(mechanism, async (trial) => {
        expect((await runIn(trial, sh(text))).status).toBe(expected)
      }),
    )

    test('a program that is not there ends with 127, one that cannot be run with 126, and says so on stderr', () =>
      withTrial(mechanism, async (trial) => {
        const missing = await runIn(trial, (launch) => ({ ...launch, command: ['/no/such/program'] }))
        const folder = await runIn(trial, (launch) => ({ ...launch, command: ['exit', '7'] }))
        const plain = await runIn(trial, (launch) => ({ ...launch, command: ['/etc/passwd'] }))
        expect([missing.status, folder.status, plain.status]).toEqual([127, 127, 126])
        expect(missing.stderr).toContain('/no/such/program')
      }))

    test('both streams are kept apart and appended to, also after somebody has cut them short', () =>
      withTrial(mechanism, async ({ scopes, make }) => {
        const made = await make()
        const stdout = join(made.folder, 'stdout')
        appendFileSync(stdout, 'before ')
        const script = 'echo one; echo two >&2; while [ ! -e "$1" ]; do sleep 0.01; done; echo three'
        await scopes.start(made.scope, made.launch(script, [join(made.folder, 'go')]))
        await until('output', () => textOf(join(made.folder, 'stderr')) === 'two\n')
        expect(readFileSync(stdout, 'utf8')).toBe('before one\n')
        truncateSync(stdout, 3)
        writeFileSync(join(made.folder, 'go'), '')

        expect(await scopes.ended(made.scope, made.folder, never)).toBe(0)
        expect(readFileSync(stdout, 'utf8')).toBe('befthree\n')
      }))

    test('arguments arrive as they were given', () =>
      withTrial(mechanism, async (trial) => {
        const args = [
          '',
          ' ',
          'a b',
          `"'`,
          '$HOME `id` $(id)',
          'two\nlines\n',
          '-n',
          '--',
          '*',
          '\\',
          'ä€😀',
          ';exit 9',
        ]
        const { stdout } = await runIn(trial, (launch) => ({
          ...launch,
          command: ['/bin/sh', '-c', `printf '%s\\0' "$@"`, 'sh', ...args],
        }))
        expect(stdout.split('\0').slice(0, -1)).toEqual(args)
      }))

    test.each<Record<string, string>>([
      {},
      { PATH: '/bin', HOME: '/nowhere', s: 'kept', b: '', TEXT: `a "b" 'c'\n$d`, PWD: '/', LC_ALL: 'C' },
    ])('the environment is what was given and the mark, nothing else: %j', (env) =>
      withTrial(mechanism, async (trial) => {
        const { stdout } = await runIn(trial, (launch) => ({
          ...launch,
          env,
          cwd: '/',
          command: ['/usr/bin/env', '-0'],
        }))
        const variables = Object.fromEntries(
          stdout
            .split('\0')
            .filter(Boolean)
            .map((line) => line.split(/=(.*)/s, 2)),
        )
        const { COUNTERMAND_ACTION: mark, ...others } = variables
        expect(others).toEqual(env)
        expect(mark).toMatch(/^[0-9a-f-]{36}$/)
      }),
    )

    test('the command has a session of its own, default signals, an empty input, and output that is only files', () =>
      withTrial(mechanism, async (trial) => {
        const text = `
        read -r stat </proc/$$/stat; set -- \${stat##*) }; [ "$4" = "$PPID" ] && echo session
        grep -E '^Sig(Blk|Ign):' /proc/self/status | tr -d '\\t'
        cat; for fd in 0 1 2; do readlink /proc/$$/fd/$fd | sed 's,.*/,,'; done`
        const { stdout } = await runIn(trial, sh(text))
        const signals = ['SigBlk:0000000000000000', 'SigIgn:0000000000000000']
        expect(stdout.trim().split('\n')).toEqual(['session', ...signals, 'null', 'stdout', 'stderr'])
      }))

    test('the wrapper outlives signals that the script sends to its group, and writes the status all the same', () =>
      withTrial(mechanism, async (trial) => {
        const text = `trap '' HUP INT QUIT TERM; for s in HUP INT QUIT TERM USR1; do kill -$s $PPID; done; kill 0; exit 5`
        expect((await runIn(trial, sh(text))).status).toBe(5)
      }))

    test('nothing is started in a scope that was removed, and the scope is not made again', () =>
      withTrial(mechanism, async ({ scopes, make }) => {
        const made = await make()
        await scopes.end(made.scope, made.id)

        const ran = join(made.folder, 'ran')
        const start = scopes.start(made.scope, made.launch('echo >"$1"', [ran]))
        await expect(start).rejects.toBeInstanceOf(ScopeGone)
        expect(existsSync(made.scope)).toBe(false)
        expect(await scopes.isAlive(made.scope)).toBe(false)
        expect(existsSync(ran)).toBe(false)
        expect(existsSync(join(made.folder, 'stdout'))).toBe(false)
      }))

    test('a start that meets an end runs nothing after the end', () =>
      withTrial(mechanism, async ({ scopes, make }) => {
        for (let round = 0; round < 20; round += 1) {
          const made = await make()
          const beats = join(made.folder, 'beats')
          const script = 'while [ -d "$1" ]; do echo . >>"$1/beats"; sleep 0.01; done'
          const start = scopes
            .start(made.scope, made.launch(script, [made.folder]))
            .catch((error: unknown) => error)
          await new Promise((resolve) => setTimeout(resolve, round))
          await scopes.end(made.scope, made.id)
          const after = textOf(beats)

          const outcome = await start
          if (outcome !== undefined) expect(outcome).toBeInstanceOf(ScopeGone)
          expect(await scopes.isAlive(made.scope)).toBe(false)
          expect(textOf(beats)).toBe(after)
        }
      }))

    test('a start that cannot be is refused with the reason', () =>
      withTrial(mechanism, async ({ scopes, make }) => {
        const made = await make()
        const launch = made.launch('exit 0')
        const refused = (change: Partial<Launch>, why: string) =>
          expect(scopes.start(made.scope, { ...launch, ...change })).rejects.toThrow(why)
        await refused({ command: [] }, 'no command')
        await refused({ cwd: '/no/such/folder' }, 'does not exist')
        await refused({ folder: join(made.folder, 'missing') }, 'cannot be written')
        await refused({ folder: 'relative' }, 'not an absolute path')
        await refused({ env: { 'a-b': '' } }, 'a-b')
        await refused({ command: ['/bin/true', 'x'.repeat(4_000_000)] }, 'E2BIG')
        expect(await scopes.isAlive(made.scope)).toBe(false)
      }))

    test('a relative program counts from the working directory', () =>
      withTrial(mechanism, async (trial) => {
        const { status } = await runIn(trial, (launch) => ({
          ...launch,
          cwd: '/bin',
          command: ['sh', '-c', 'exit 4'],
        }))
        expect(status).toBe(4)
      }))

    test('the status is told when something is left running, and nothing left without a status is null', () =>
      withTrial(mechanism, async ({ scopes, make }) => {
        const [left, killed] = [await make(), await make()]
        await scopes.start(left.scope, left.launch('setsid sleep 60 & exit 6'))
        expect(await scopes.ended(left.scope, left.folder, never)).toBe(6)
        expect(await scopes.isAlive(left.scope)).toBe(true)

        await scopes.start(killed.scope, killed.launch('kill -KILL $PPID'))
        expect(await scopes.ended(killed.scope, killed.folder, never)).toBe(null)
      }))

    test('waiting for the end can be given up, and a later agent waits on', () =>
      withTrial(mechanism, async ({ scopes, options, make }) => {
        const made = await make()
        const go = join(made.folder, 'go')
        const script = 'while [ ! -e "$1" ] && [ -d "$2" ]; do sleep 0.01; done; exit 9'
        await scopes.start(made.scope, made.launch(script, [go, made.folder]))
        const before = watches()
        const giveUp = new AbortController()
        const waiting = scopes.ended(made.scope, made.folder, giveUp.signal)
        await until('a watch', () => watches() === before + 1)
        giveUp.abort(new Error('enough'))
        await expect(waiting).rejects.toThrow('enough')
        expect(watches()).toBe(before)
        await expect(scopes.ended(made.scope, made.folder, giveUp.signal)).rejects.toThrow('enough')

        const [scope, folder, goOn] = [made.scope, made.folder, go].map((path) => JSON.stringify(path))
        const program = `
        const waiting = scopes.ended(${scope}, ${folder}, new AbortController().signal)
        setTimeout(() => import('node:fs').then((fs) => fs.writeFileSync(${goOn}, '')), 50)
        console.log(await waiting)`
        // That it ends shows too that no timer is left behind.
        expect(inAnotherAgent(options, program)).toBe('9\n')
      }))
  },
)
