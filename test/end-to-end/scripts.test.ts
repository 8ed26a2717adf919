/** What a script may count on, and what comes back of it. */
import assert from 'node:assert/strict'
import { existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { MachineAction, RunScriptResult } from '@countermand/contract'
import { afterAll, beforeAll, describe, test } from 'vitest'
import { needs } from '../needs.ts'
import { openWorld, processesWith, withWorld, type World } from './fixture.ts'
import { until } from './program.ts'

const timeout = 90_000

describe.skipIf(!needs('root') || !needs('cgroup2'))('a script', { timeout }, () => {
  let world: World
  beforeAll(async () => {
    world = await openWorld()
  }, timeout)
  afterAll(() => world.close(), timeout)

  async function run(
    script: string,
    args?: string,
  ): Promise<{ action: MachineAction; result: RunScriptResult }> {
    const { id } = await world.api.run(world.device.machineId, script, args)
    const action = await world.api.untilOver(id)
    return { action, result: await world.api.result(id) }
  }

  async function refused(script: string): Promise<string> {
    const { id } = await world.api.run(world.device.machineId, script)
    const action = await world.api.untilOver(id)
    assert.equal(action.status, 'Failed')
    assert.equal(action.commands[0]?.commandStatus, 'Failed')
    return action.commands[0].errors.join('\n')
  }

  test.each([0, 3])('that ends with %i: result by a link that needs no token', async (code) => {
    const { action, result } = await run(`echo to output; echo to errors >&2; exit ${code}`)

    assert.equal(action.status, 'Succeeded')
    const [command] = action.commands
    assert.equal(command?.commandStatus, 'Completed')
    assert.ok((command.startTime ?? '') <= (command.endTime ?? ''), 'started before it ended')
    const { countermand, ...compatible } = result
    assert.match(compatible.script_name, /^script-\d+\.sh$/)
    assert.deepEqual(compatible, {
      script_name: compatible.script_name,
      exit_code: code,
      script_output: 'to output\n',
      script_errors: 'to errors\n',
    })
    assert.deepEqual(countermand, { outputTruncated: false, leftRunning: [] })
  })

  test('that a signal has ended says so as a shell does', async () => {
    assert.equal((await run('kill -9 $$')).result.exit_code, 137)
  })

  test('gets its arguments as they were quoted, and nothing in them is expanded', async () => {
    const asked = `plain "two words" 'single $HOME' $HOME * ; \\; "" "a\\"b" 'it''s' \`id\` $(id) > /tmp/x | &`
    const { result } = await run('for word; do printf "<%s>\\n" "$word"; done', asked)
    const words = ['plain', 'two words', 'single $HOME', '$HOME', '*', ';', ';', '', 'a"b', 'its']
    const operators = ['`id`', '$(id)', '>', '/tmp/x', '|', '&']
    assert.deepEqual(
      result.script_output.split('\n').slice(0, -1),
      [...words, ...operators].map((word) => `<${word}>`),
    )
  })

  test('without arguments has none', async () => {
    assert.equal((await run('echo $#')).result.script_output, '0\n')
    assert.equal((await run('echo $#', '')).result.script_output, '0\n')
  })

  test('without a first line for it is run by /bin/sh', async () => {
    const { result } = await run(`tr '\\0' ' ' </proc/$$/cmdline`, 'x')
    assert.match(result.script_output, /^\/bin\/sh \S+ x $/)
  })

  test('is run by the interpreter of its first line, with that line’s argument', async () => {
    const { result } = await run('#!/usr/bin/env -S sh -eu\necho before; echo $not_set; echo after\n')
    assert.equal(result.script_output, 'before\n')
    assert.match(result.script_errors, /not_set/)
    assert.notEqual(result.exit_code, 0)
  })

  test.skipIf(!existsSync('/usr/bin/python3'))('may be Python', async () => {
    const text = `#!/usr/bin/python3\nimport sys\nprint(sys.argv[1:])\nprint('oh', file=sys.stderr)\nsys.exit(4)\n`
    const { result } = await run(text, `'a b' c`)
    assert.equal(result.script_output, "['a b', 'c']\n")
    assert.equal(result.script_errors, 'oh\n')
    assert.equal(result.exit_code, 4)
  })

  test('with Windows line endings is refused in plain words', async () => {
    assert.match(await refused('#!/bin/sh\r\necho never\r\n'), /Windows line ending/)
  })

  test('whose interpreter is missing is refused, and the interpreter named', async () => {
    assert.match(await refused('#!/usr/bin/no-such-shell -x\necho never\n'), /\/usr\/bin\/no-such-shell/)
  })

  test('starts in an empty folder of its own', async () => {
    const text = 'pwd; ls -A | wc -l; touch here; stat -c %a:%U .'
    const [first, second] = [await run(text), await run(text)]
    const [folder = '', count, mode] = first.result.script_output.split('\n')
    assert.equal(count?.trim(), '0')
    assert.equal(mode, '700:root')
    assert.notEqual(folder, second.result.script_output.split('\n')[0])
    assert.equal(second.result.script_output.split('\n')[1]?.trim(), '0')
    await until('the folder to be gone with the action', () => !existsSync(folder))
  })

  test('has a clean environment: PATH, HOME, LANG, where files are put, and the mark', async () => {
    const { action, result } = await run(`tr '\\0' '\\n' </proc/$$/environ | sort`)
    assert.deepEqual(result.script_output.trim().split('\n'), [
      `COUNTERMAND_ACTION=${action.id}`,
      `COUNTERMAND_PUT=${join(world.device.dataFolder, 'put')}`,
      'HOME=/root',
      'LANG=C.UTF-8',
      'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    ])
  })

  test('runs as root, with no input and no terminal', async () => {
    const { result } = await run('id -u; umask; cat | wc -c; test -t 1 || echo no terminal')
    assert.match(result.script_output, /^0\n\d+\n\s*0\nno terminal\n$/)
  })

  test('that talks too much is cut at 1 MiB, and it is flagged; the disk is not filled meanwhile', async () => {
    const go = join(world.scratch('talk'), 'go')
    const flood = `i=0; while [ $i -lt 40 ]; do head -c 1000000 /dev/zero | tr '\\0' x; i=$((i + 1)); done`
    const text = `${flood}; echo waiting >&2; while [ ! -e ${go} ] && [ -d ${world.folder} ]; do sleep 0.1; done; echo end`
    const { id } = await world.api.run(world.device.machineId, text)
    const sizeOf = (stream: string): number =>
      statSync(join(world.device.dataFolder, 'journal', id, 'run', '0', stream)).size
    await until('the flood to be over', () => sizeOf('stderr') > 0)
    await until('the file to be cut', () => sizeOf('stdout') < 2 * 1024 * 1024)
    await world.api.cancel(id)
    await world.api.untilOver(id)

    const { result } = await run(`${flood}; echo few >&2`)
    assert.equal(result.script_output, 'x'.repeat(1024 * 1024))
    assert.equal(result.script_errors, 'few\n')
    assert.equal(result.countermand.outputTruncated, true)
  })

  test('whose output is exactly 1 MiB is not cut, and what is no UTF-8 is replaced', async () => {
    const exact = await run(`head -c 1048576 /dev/zero | tr '\\0' y`)
    assert.equal(exact.result.script_output.length, 1024 * 1024)
    assert.equal(exact.result.countermand.outputTruncated, false)
    const odd = await run(`printf 'a\\377\\303\\244\\000z'`)
    assert.equal(odd.result.script_output, 'a\ufffdä\0z')
  })

  test('that leaves something running has it ended and named', async () => {
    const word = 'left-behind-by-a-script'
    const { action, result } = await run(`setsid sh -c 'while :; do sleep 1; done' ${word} & echo started`)
    assert.equal(action.status, 'Succeeded')
    assert.equal(result.exit_code, 0)
    assert.equal(result.script_output, 'started\n')
    assert.ok(
      result.countermand.leftRunning.some(({ command }) => command.includes(word)),
      JSON.stringify(result),
    )
    assert.ok(!result.countermand.leftRunning.some(({ command }) => command.includes('countermand-wrapper')))
    assert.deepEqual(processesWith(word), [])
  })

  test('that leaves nothing running is never said to have left something', async () => {
    for (let round = 0; round < 6; round += 1) {
      const { result } = await run(`sleep 0.${round}`)
      assert.deepEqual(result.countermand.leftRunning, [], `round ${round}`)
    }
  })
})

describe.skipIf(!needs('root') || !needs('cgroup2'))('a run limit', { timeout }, () => {
  test('ends the script with everything that it has begun, and is named', () =>
    withWorld({ serverFlags: ['--run-limits', 'LiveResponse=2'] }, async ({ api, device }) => {
      const word = 'overrunning-its-limit'
      const text = `echo so far; setsid sh -c 'while :; do sleep 1; done' ${word} & while :; do sleep 1; done`
      const { id } = await api.run(device.machineId, text, word)
      const { status, countermand, commands } = await api.untilOver(id)

      assert.equal(status, 'TimeOut')
      assert.equal(countermand.reason, 'run_limit')
      assert.equal(commands[0]?.commandStatus, 'Failed')
      assert.match(commands[0].errors.join(), /limit of 2 seconds/)
      assert.equal((await api.result(id)).script_output, 'so far\n')
      assert.deepEqual(processesWith(word), [])
    }))
})
