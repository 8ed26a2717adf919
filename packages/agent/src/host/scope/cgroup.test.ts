import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test, vi } from 'vitest'
import { needs } from '../../../../../test/needs.ts'
import { openScopes } from '../scope.ts'
import { Unkillable } from '../types.ts'
import { insideScope } from './action-id.ts'
import { placesIn } from './cgroup.ts'
import { findProcess } from './processes.ts'
import {
  inAnotherAgent,
  isBeating,
  never,
  textOf,
  until,
  withTrial,
  type Made,
  type Trial,
} from './testing/trial.ts'

describe('finding the hierarchy', () => {
  const hybrid = [
    '30 24 0:26 / /sys/fs/cgroup rw,nosuid - tmpfs tmpfs rw,mode=755',
    '31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate',
    '32 30 0:28 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
  ].join('\n')

  test('it is found by its type, wherever it is mounted', () => {
    const place = { mount: '/sys/fs/cgroup/unified', own: '/sys/fs/cgroup/unified/system.slice/x.service' }
    expect(placesIn(hybrid, '4:cpu:/a\n0::/system.slice/x.service\n')).toEqual([place])
    expect(placesIn(hybrid.replace('/unified', '/un\\040ified'), '0::/')[0]?.mount).toBe(
      '/sys/fs/cgroup/un ified',
    )
  })

  test('a mount that shows a part of it counts if this process is in that part', () => {
    const part = '31 30 0:27 /docker/a /sys/fs/cgroup rw - cgroup2 cgroup rw'
    expect(placesIn(part, '0::/docker/a/b')).toEqual([{ mount: '/sys/fs/cgroup', own: '/sys/fs/cgroup/b' }])
    expect(placesIn(part, '0::/docker/another')).toEqual([])
    expect(placesIn(part, '0::/../elsewhere')).toEqual([])
  })

  test('what is read-only, of version 1, or not there is of no use', () => {
    expect(placesIn(hybrid.replace('unified rw', 'unified ro'), '0::/')).toEqual([])
    expect(placesIn(hybrid, '4:cpu:/a\n')).toEqual([])
    expect(placesIn('', '0::/')).toEqual([])
  })

  test('a unit named like a scope is not taken for one', () => {
    const id = '01234567-89ab-cdef-0123-456789abcdef'
    expect(insideScope.exec(`/m/a/countermand-x/${id}/sub`)?.[1]).toBe('/m/a')
    expect(insideScope.test('/m/system.slice/countermand-agent.service')).toBe(false)
    expect(insideScope.test('/m/countermand-agent.service/app')).toBe(false)
  })
})

/** Starts a script that is given its scope, the launch folder and the group above the scopes; waits for a beat. */
async function startBeating({ scopes }: Trial, made: Made, prelude: string): Promise<string> {
  const beat = 'while [ -d "$2" ]; do echo . >>"$2/beats"; sleep 0.01; done'
  const above = dirname(dirname(made.scope))
  await scopes.start(made.scope, made.launch(`${prelude}\n${beat}`, [made.scope, made.folder, above]))
  await until('a beat', () => textOf(join(made.folder, 'beats')) !== '')
  return join(made.folder, 'beats')
}

describe.skipIf(!needs('root') || !needs('cgroup2'))('what a script may do with groups, being root', () => {
  test.each([
    ['makes groups in its scope', 'mkdir -p "$1/a/b" "$1/c"; echo $$ >"$1/a/b/cgroup.procs"'],
    [
      'makes its scope a threaded one, which cannot be killed',
      `for pid in $PPID $$; do echo $pid >"$3/cgroup.procs"; done; echo threaded >"$1/cgroup.type"
       for pid in $PPID $$; do echo $pid >"$1/cgroup.procs"; done; cp "$1/cgroup.type" "$2/type"`,
    ],
    [
      'makes a threaded group',
      'mkdir "$1/t"; echo threaded >"$1/t/cgroup.type"; echo $$ >"$1/t/cgroup.threads"; cp "$1/t/cgroup.type" "$2/type"',
    ],
  ])('one that %s is ended all the same', (_, prelude) =>
    withTrial('cgroup', async (trial) => {
      const made = await trial.make()
      const beats = await startBeating(trial, made, prelude)
      expect(await trial.scopes.isAlive(made.scope)).toBe(true)
      if (prelude.includes('type')) expect(textOf(join(made.folder, 'type'))).toBe('threaded\n')

      expect(await trial.scopes.end(made.scope, made.id)).toMatchObject({ proof: 'stopped', strays: [] })
      expect(await isBeating(beats)).toBe(false)
      expect(existsSync(made.scope)).toBe(false)
    }),
  )

  test.each([
    ['its mark', 'echo $$ >"$3/cgroup.procs"'],
    [
      'its parent in the scope',
      `env -i /bin/sh -c 'echo $$ >"$3/cgroup.procs"; while [ -d "$2" ]; do echo x >>"$2/out"; sleep 0.01; done' sh "$@" &
       until [ -e "$2/out" ]; do sleep 0.01; done`,
    ],
  ])('what moved itself elsewhere is found by %s, killed and listed', (_, prelude) =>
    withTrial('cgroup', async (trial) => {
      const made = await trial.make()
      const beats = await startBeating(trial, made, prelude)
      const ended = await trial.scopes.end(made.scope, made.id)
      expect(ended).toMatchObject({
        proof: 'stopped',
        strays: expect.arrayContaining([
          expect.objectContaining({ command: expect.stringContaining('/bin/sh') }),
        ]),
      })
      expect(await isBeating(beats)).toBe(false)
      expect(await isBeating(join(made.folder, 'out'))).toBe(false)
      for (const { pid } of ended.strays)
        expect(findProcess(pid)?.isDead ?? true, 'dead, not asleep').toBe(true)
    }),
  )

  test('a stray that keeps coming back in cannot keep the scope', () =>
    withTrial('cgroup', async (trial) => {
      const made = await trial.make()
      const prelude = `echo $$ >"$3/cgroup.procs"
        (while [ -d "$2" ]; do mkdir "$1/again"; sleep 60 & echo $! >"$1/again/cgroup.procs"; sleep 0.001; done) &`
      const beats = await startBeating(trial, made, prelude)
      const ended = await trial.scopes.end(made.scope, made.id)
      expect(ended.strays.length).toBeGreaterThan(0)
      expect(await isBeating(beats)).toBe(false)
      expect(existsSync(made.scope)).toBe(false)
    }))
})

describe.skipIf(!needs('root') || !needs('cgroup2'))('the agent and its group', () => {
  test('a frozen script runs on when its group is thawed: it was the freeze that held it', () =>
    withTrial('cgroup', async (trial) => {
      const made = await trial.make()
      const beats = await startBeating(trial, made, '')
      await trial.scopes.freeze(made.scope)
      expect(await isBeating(beats)).toBe(false)
      writeFileSync(join(made.scope, 'cgroup.freeze'), '0')
      await vi.waitFor(async () => expect(await isBeating(beats)).toBe(true), 10_000)
    }))

  test('a start into a frozen scope waits, and when the scope ends it has run nothing', () =>
    withTrial('cgroup', async ({ scopes, make }) => {
      const made = await make()
      await scopes.freeze(made.scope)
      const start = scopes.start(made.scope, made.launch('echo ran')).catch((error: unknown) => error)
      await until('the wrapper to come in', () => scopes.isAlive(made.scope))
      await scopes.end(made.scope, made.id)
      expect(await start).toMatchObject({ name: 'ScopeGone' })
      expect(existsSync(join(made.folder, 'stdout'))).toBe(false)
    }))

  test('an agent that a script started leaves the scope, and makes its own beside it', () =>
    withTrial('cgroup', async ({ scopes, options, make }) => {
      const made = await make()
      const module = JSON.stringify(join(import.meta.dirname, '../scope.ts'))
      const text = `const { openScopes } = await import(${module})
        const scopes = await openScopes({ ...${JSON.stringify(options)}, log: console.log })
        console.log(await scopes.make('${made.id}'))
        console.log(require('node:fs').readFileSync('/proc/self/cgroup', 'utf8'))`
      const command = [
        process.execPath,
        '--input-type=module',
        '-e',
        text.replace('require', 'process.getBuiltinModule'),
      ]
      await scopes.start(made.scope, { ...made.launch(''), command })
      expect(await scopes.ended(made.scope, made.folder, never)).toBe(0)
      const [scope, ...groups] = readFileSync(join(made.folder, 'stdout'), 'utf8').split('\n')
      expect(scope).toBe(made.scope)
      expect(groups.find((line) => line.startsWith('0::'))).not.toContain('countermand-')
    }))

  test.skipIf(!needs('unshare'))('a hierarchy that was unmounted proves nothing', () =>
    withTrial('cgroup', async ({ options, make }) => {
      const made = await make()
      const [scope, launch] = [JSON.stringify(made.scope), JSON.stringify(made.launch('exec sleep 60'))]
      const program = `
        await scopes.start(${scope}, ${launch})
        const mount = /(.*)\\/countermand-/.exec(${scope})[1]
        process.getBuiltinModule('child_process').execFileSync('umount', ['-l', mount])
        const say = (asked) => asked.then((ended) => console.log('?', ended), (error) => console.log(error.message))
        await say(scopes.end(${scope}, '${made.id}', { patienceMs: 0 }))
        await say(scopes.make('${made.id}'))
        await say(scopes.start(${scope}, ${launch}))`
      const [ended, remade, started] = inAnotherAgent(options, program, ['unshare', '-m']).split('\n')
      expect([ended, remade]).toEqual(Array(2).fill(expect.stringContaining('No cgroup v2 is mounted')))
      expect(started).toContain('is gone')
    }),
  )

  test.skipIf(!needs('unshare'))('without cgroup v2 there are scopes all the same, said to be weaker', () =>
    withTrial('cgroup', async ({ scopes, options, make }) => {
      const made = await make()
      const unmount = `umount -a -t cgroup2 && exec "$0" "$@"`
      const launch = JSON.stringify(made.launch('exit 3'))
      const program = `
        const scope = await scopes.make('${made.id}')
        await scopes.start(scope, ${launch})
        const status = await scopes.ended(scope, ${JSON.stringify(made.folder)}, new AbortController().signal)
        const old = await scopes.end(${JSON.stringify(made.scope)}, '${made.id}')
        console.log([scopes.proof, status, (await scopes.end(scope, '${made.id}')).proof, old.proof].join())
        console.log(scopes.description)`
      const said = inAnotherAgent(options, program, ['unshare', '-m', '/bin/sh', '-c', unmount])
      expect(said.split('\n')[0]).toBe('swept,3,swept,swept')
      expect(said).toMatch(/^Weaker: .*no writable cgroup v2 is mounted/m)
      expect(scopes.description).toContain('cgroup v2')
    }),
  )

  const freezer = '/sys/fs/cgroup/freezer'
  test.skipIf(!existsSync(join(freezer, 'cgroup.procs')))(
    'what cannot be killed is named, and never called stopped',
    () =>
      withTrial('cgroup', async (trial) => {
        const made = await trial.make()
        const beats = await startBeating(trial, made, 'echo $$ >"$2/pid"')
        const pid = Number(textOf(join(made.folder, 'pid')))
        // The old freezer keeps what it holds even from SIGKILL, like a disk that does not answer.
        const ice = join(freezer, made.id)
        mkdirSync(ice)
        try {
          writeFileSync(join(ice, 'cgroup.procs'), String(pid))
          writeFileSync(join(ice, 'freezer.state'), 'FROZEN')
          const failed = await trial.scopes
            .end(made.scope, made.id, { patienceMs: 300 })
            .catch((error: unknown) => error)
          expect(failed).toBeInstanceOf(Unkillable)
          expect((failed as Unkillable).left.map((left) => left.pid)).toContain(pid)
          expect(await trial.scopes.isAlive(made.scope)).toBe(true)
        } finally {
          writeFileSync(join(ice, 'freezer.state'), 'THAWED')
          const ended = await trial.scopes.end(made.scope, made.id)
          expect(
            ended.killed.map((killed) => killed.pid),
            'what the first attempt killed is told too',
          ).toContain(pid)
          rmdirSync(ice)
        }
        expect(await isBeating(beats)).toBe(false)
      }),
  )

  test('a name that leads elsewhere is refused', async () => {
    for (const name of ['', '..', 'a/b', '.x', 'a b'])
      await expect(openScopes({ name, folder: '/nowhere', log: () => undefined })).rejects.toThrow(
        'part of a path',
      )
  })
})
