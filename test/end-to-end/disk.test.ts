/** What the kernel was asked for, and in which order: on disk first, then the word or the deed. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { needs } from '../needs.ts'
import { isRunning } from './api.ts'
import { withWorld } from './fixture.ts'
import { callsIn, isBefore, openTrace, traced, type Call, type Trace } from './trace.ts'

const syncs = ['fsync', 'fdatasync'] as const
const writes = ['write', 'writev', 'pwrite64', 'sendto', 'sendmsg'] as const
const names = ['rename', 'renameat', 'renameat2', 'link', 'linkat'] as const
const starts = ['execve', 'clone', 'clone3', 'fork', 'vfork'] as const
const everything = [...syncs, ...writes, ...names, ...starts]

const isAble = needs('root') && needs('cgroup2') && needs('strace')
const timeout = 120_000

/** A file that appears whole: its draft synced, its name given, its folder synced. Returns the last of the three. */
function wholeFile(trace: Trace, folder: string, name: string): Call {
  const file = `${folder}/${name}`
  const named = trace.find(new RegExp(`^(link|rename)\\w*\\(.*${file}"[^"]*\\) += 0`))
  const drafts = trace.calls.filter(({ text }) =>
    new RegExp(`^f(data)?sync\\(\\d+<.*${file}\\.tmp-`).test(text),
  )
  assert.ok(
    drafts.some((draft) => isBefore(draft, named)),
    `${file} is synced before it has its name`,
  )
  return trace.find(new RegExp(`^fsync\\(\\d+<[^>]*${folder}>\\) += 0`), named)
}

describe.skipIf(!isAble)('on the device', { timeout }, () => {
  test('the start is on disk before the script runs, the cancel before it is frozen or killed, a statement before it is sent', () =>
    withWorld(
      { around: (folder) => traced(join(folder, 'trace'), everything) },
      async ({ api, device, folder }) => {
        const { id } = await api.run(device.machineId, 'while sleep 0.1; do :; done')
        await api.untilAction(id, 'runs', isRunning)
        await api.cancel(id)
        await api.untilOver(id)
        await device.program.leave()
        const trace = openTrace(join(folder, 'trace'))
        const place = `/journal/${id}`

        const started = wholeFile(trace, place, 'verdict\\.json')
        const wrapper = trace.find(/^execve\("\/bin\/sh", .*countermand-wrapper/)
        const script = trace.find(new RegExp(`^execve\\("/bin/sh", \\["/bin/sh", "[^"]*${place}/files/`))
        assert.ok(isBefore(started, wrapper), `${started.text} before ${wrapper.text}`)
        assert.ok(isBefore(started, script), `${started.text} before ${script.text}`)

        const cancelled = wholeFile(trace, place, 'cancel\\.json')
        for (const control of ['cgroup\\.freeze', 'cgroup\\.kill']) {
          const written = trace.find(new RegExp(`^p?write(64)?\\(\\d+<[^>]*/${id}/${control}>`))
          assert.ok(isBefore(cancelled, written), `${cancelled.text} before ${written.text}`)
        }
        assertSavedBeforeSent(trace)
      },
    ))
})

/** Each statement that is sent has been saved since the one before; so no number stands for two texts. */
function assertSavedBeforeSent({ calls }: Trace): void {
  const sent = calls.filter(({ text }) => /^(write|writev|sendto|sendmsg)\(.*POST \/device\/sync/.test(text))
  const saved = calls.filter(({ text }) => /^rename\w*\(.*\/sync-[^/"]+\.json"/.test(text))
  assert.ok(sent.length >= 3, `${sent.length} statements`)
  for (const [index, statement] of sent.entries()) {
    const former = index === 0 ? -1 : (sent[index - 1]?.answered ?? -1)
    const name = saved.findLast(({ answered }) => answered < statement.asked)
    assert.ok(name !== undefined && name.asked > former, `statement ${index + 1} is saved before it is sent`)
    const isSynced = calls.some(
      (call) =>
        /^fsync\(\d+<[^>]*\/agent>\) += 0/.test(call.text) &&
        isBefore(name, call) &&
        isBefore(call, statement),
    )
    assert.ok(isSynced, `the name of statement ${index + 1} is synced before it is sent`)
  }
}

describe.skipIf(!isAble)('at the server', { timeout }, () => {
  test('an action is on disk before its 201, a cancel before its 200, and a file with the folders that lead to it', () =>
    withWorld(
      {
        aroundServer: (folder) => traced(join(folder, 'trace'), [...syncs, ...writes, ...names]),
        serverFlags: ['--settle-ms', '0'],
      },
      async ({ api, device, folder, server }) => {
        const { id } = await api.run(device.machineId, 'while sleep 0.1; do :; done')
        await api.untilAction(id, 'runs', isRunning)
        // So that the answer is to the request alone, and not to its end as well.
        device.program.signal('SIGSTOP')
        const word = 'a word that is looked for'
        const { status, action } = await api.cancel(id, word)
        device.program.signal('SIGCONT')
        assert.deepEqual([status, action.status, action.cancellationComment], [200, 'InProgress', word])
        await api.untilOver(id)
        await server.leave()

        const trace = openTrace(join(folder, 'trace'))
        assertCommittedBeforeAnswered(trace, id, 201)
        assertCommittedBeforeAnswered(trace, word, 200)
        assertKeptBeforeAnswered(trace)
      },
    ))
})

/** The page with this word is in the log, the log is synced, and only then is the answer with this word written. */
function assertCommittedBeforeAnswered(trace: Trace, word: string, status: number): void {
  const paged = trace.find(new RegExp(`^pwrite64\\(\\d+<[^>]*countermand\\.db-wal>.*${word}`))
  const synced = trace.find(/^f(data)?sync\(\d+<[^>]*countermand\.db-wal>\) += 0/, paged)
  const answer = new RegExp(`^(write|writev|sendto|sendmsg)\\(\\d+<.*HTTP/1\\.1 ${status} .*${word}`)
  const answered = trace.find(answer)
  assert.ok(
    isBefore(synced, answered),
    `${synced.text} (${synced.answered}) before ${status} (${answered.asked})`,
  )
}

/** The script's content is synced before it has its name, and every folder from there up to the server's own before the 200. */
function assertKeptBeforeAnswered(trace: Trace): void {
  const named = trace.find(/^rename\w*\(.*\/\.upload-.*\/files\/library\/[0-9a-f]{64}"\) += 0/)
  const content = trace.find(/^fsync\(\d+<[^>]*\/\.upload-[^>]*>\) += 0/)
  assert.ok(isBefore(content, named), `${content.text} before ${named.text}`)
  const answer = /^(write|writev|sendto|sendmsg)\(\d+<.*HTTP\/1\.1 200 .*#LibraryFiles\/\$entity/
  const answered = trace.find(answer)
  for (const folder of ['server/files/library', 'server/files', 'server']) {
    const synced = trace.find(new RegExp(`^fsync\\(\\d+<[^>]*/${folder}>\\) += 0`), named)
    assert.ok(isBefore(synced, answered), `${synced.text} before the 200`)
  }
}

test('a log is read call by call, whatever was interrupted by whom', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-trace-'))
  try {
    const file = join(folder, 'trace')
    writeFileSync(file, log)
    const calls = callsIn(file).map(({ text, asked, answered }) => [text, asked, answered])
    assert.deepEqual(calls, [
      ['fsync(3</a b>)      = 0', 0, 2],
      ['write(4<socket:[1]>, "<unfinished ...> x", 18) = 18', 1, 1],
      ['execve("/bin/sh", ["sh"], 0x1', 3, Infinity],
    ])
    const trace = openTrace(file)
    assert.equal(trace.find(/^fsync/).answered, 2)
    assert.throws(() => trace.find(/^write/, trace.find(/^fsync/)), /no .*write/)
  } finally {
    rmSync(folder, { recursive: true })
  }
})

const log = `12 1764000000.000001 fsync(3</a b> <unfinished ...>
13    1764000000.000002 write(4<socket:[1]>, "<unfinished ...> x", 18) = 18
12 1764000000.000003 <... fsync resumed>)      = 0
13 1764000000.000004 execve("/bin/sh", ["sh"], 0x1 <unfinished ...>
12 1764000000.000005 --- SIGCHLD {si_signo=SIGCHLD} ---
13 1764000000.000006 +++ killed by SIGKILL +++
12 1764000000.0`
