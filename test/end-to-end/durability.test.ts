/** What the kernel was asked to do, and in which order: on disk first, then the word or the deed. */
import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { needs } from '../needs.ts'
import { isRunning } from './api.ts'
import { textOf } from './beats.ts'
import { withWorld } from './fixture.ts'
import { until } from './program.ts'

/** Traces what comes after it; as a grandchild, so that what is traced keeps its pid and its end. */
const traced = (file: string, calls: string): readonly string[] => [
  'strace',
  '-D',
  '-f',
  '-qq',
  '-y',
  '-s',
  '4096',
  '-e',
  `trace=${calls}`,
  '-o',
  file,
]

/** The trace's lines, a call that was interrupted by another thread's put together where it *returned*. */
function callsIn(file: string): readonly string[] {
  const begun = new Map<string, string>()
  return textOf(file)
    .split('\n')
    .flatMap((line) => {
      const [, pid = '', text = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? []
      if (text.endsWith('<unfinished ...>')) {
        begun.set(pid, text.slice(0, -'<unfinished ...>'.length))
        return []
      }
      const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1]
      return [resumed === undefined ? text : (begun.get(pid) ?? '') + resumed]
    })
}

const isAble = needs('root') && needs('cgroup2') && needs('strace')

describe.skipIf(!isAble)('on disk', { timeout: 90_000 }, () => {
  test('is the start, its file and its folder, before the script is run; and the cancel before it is frozen', () =>
    withWorld(
      {
        around: (folder) =>
          traced(join(folder, 'trace'), 'fsync,fdatasync,link,linkat,execve,write,pwrite64'),
      },
      async ({ api, device, folder }) => {
        const { id } = await api.run(device.machineId, 'while sleep 0.1; do :; done')
        await api.untilAction(id, 'runs', isRunning)
        await api.cancel(id)
        await api.untilOver(id)
        await device.program.leave()

        const calls = callsIn(join(folder, 'trace'))
        const at = (what: RegExp, from = 0): number => {
          const found = calls.findIndex((call, index) => index >= from && what.test(call))
          assert.notEqual(
            found,
            -1,
            `${what} from ${from} on in:\n${calls.slice(from).join('\n').slice(0, 20_000)}`,
          )
          return found
        }
        const place = `/journal/${id}`
        const linked = at(new RegExp(`^link(at)?\\(.*${place}/verdict\\.json"`))
        const synced = at(new RegExp(`^fsync\\(\\d+<.*${place}/verdict\\.json\\.tmp-`))
        const listed = at(new RegExp(`^fsync\\(\\d+<.*${place}>`), linked)
        const run = at(/^execve\("\/bin\/sh", .*countermand-wrapper/)
        assert.ok(synced < linked && linked < listed && listed < run, [synced, linked, listed, run].join())

        const cancelled = at(new RegExp(`^link(at)?\\(.*${place}/cancel\\.json"`))
        const cancelListed = at(new RegExp(`^fsync\\(\\d+<.*${place}>`), cancelled)
        const frozen = at(new RegExp(`^p?write(64)?\\(\\d+<[^>]*/${id}/cgroup\\.freeze>`))
        assert.ok(cancelListed < frozen, [cancelListed, frozen].join())
      },
    ))

  test('is the cancel before the server answers it', () =>
    withWorld(
      {
        aroundServer: (folder) =>
          traced(join(folder, 'trace'), 'fsync,fdatasync,pwrite64,write,writev,sendto,sendmsg'),
        serverFlags: ['--settle-ms', '0'],
      },
      async ({ api, device, folder, server, scratch }) => {
        const here = scratch('durable')
        const { id } = await api.run(device.machineId, `touch ${here}/runs; while sleep 0.1; do :; done`)
        await until('the script to run', () => existsSync(join(here, 'runs')))
        await api.untilAction(id, 'runs', isRunning)
        device.program.signal('SIGSTOP')
        const before = callsIn(join(folder, 'trace')).length
        const { action } = await api.cancel(id, 'a word that is looked for')
        assert.notEqual(action.cancellationRequestor, null)
        device.program.signal('SIGCONT')
        await api.untilOver(id)
        await server.leave()

        const calls = callsIn(join(folder, 'trace')).slice(before)
        const after = (index: number, what: RegExp): number => {
          const found = calls.findIndex((call, at) => at > index && what.test(call))
          assert.notEqual(found, -1, `${what} after ${index} in:\n${calls.join('\n').slice(0, 20_000)}`)
          return found
        }
        const written = after(-1, /^pwrite64\(\d+<[^>]*countermand\.db-wal>.*a word that is looked for/)
        const synced = after(written, /^f(data)?sync\(\d+<[^>]*countermand\.db-wal>/)
        const answered = after(
          -1,
          /^(write|writev|sendto|sendmsg)\(\d+<.*cancellationComment.*a word that is looked for/,
        )
        assert.ok(synced < answered, [written, synced, answered].join())
      },
    ))
})
