/** run.mjs in a folder of its own, with an npm that only pretends, so that no test waits for a network. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, test } from 'vitest'
import { root } from './architecture/tree.ts'

const platform = `${process.platform}-${process.arch}`
const runtime = `node_modules/node-${platform === 'darwin-arm64' ? 'bin-' : ''}${platform}/bin/node`

/** Does what `npm ci` does as far as the launcher can see, and keeps count. */
const fakeNpm = `
import { appendFileSync, mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
appendFileSync('npm-runs', process.argv.slice(2).join(' ') + '\\n')
rmSync('node_modules', { recursive: true, force: true })
await new Promise((resolve) => setTimeout(resolve, 300))
mkdirSync(dirname('${runtime}'), { recursive: true })
symlinkSync(process.execPath, '${runtime}')
`
const fakeServer = `
console.log(JSON.stringify({ args: process.argv.slice(2), cwd: process.cwd() }))
`

let home: string
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'countermand-launcher-'))
  mkdirSync(join(home, 'packages/server/src'), { recursive: true })
  copyFileSync(join(root, 'run.mjs'), join(home, 'run.mjs'))
  write('package.json', '{ "type": "module" }')
  write('package-lock.json', '{}')
  write('npm-cli.js', fakeNpm)
  write('packages/server/src/main.ts', fakeServer)
})
afterEach(() => rmSync(home, { recursive: true }))

const write = (path: string, text: string): void => writeFileSync(join(home, path), text)
const npmRuns = (): number => readFileSync(join(home, 'npm-runs'), 'utf8').trim().split('\n').length

function launch(args: readonly string[], cwd = home) {
  const env = { ...process.env, npm_execpath: join(home, 'npm-cli.js') }
  const child = spawn(process.execPath, [join(home, 'run.mjs'), ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const said = { stdout: '', stderr: '' }
  child.stdout.on('data', (text) => (said.stdout += String(text)))
  child.stderr.on('data', (text) => (said.stderr += String(text)))
  const ended = once(child, 'close').then(([code]) => ({ code: Number(code), ...said }))
  return { child, said, ended }
}

const start = (...args: string[]) => launch(['start', ...args]).ended

test('installs once, and again when the lockfile is another', async () => {
  assert.match((await start()).stderr, /Installing .*\nInstalled in [\d.]+ s\.\n$/)
  assert.equal((await start()).stderr, '')
  assert.equal(npmRuns(), 1)
  write('package-lock.json', '{ "another": true }')
  await start()
  assert.equal(npmRuns(), 2)
})

test('hands on the arguments as they are, and starts where it was called', async () => {
  const args = ['--listen', '127.0.0.1:8700', '--data', './x y', '--', '*', '']
  const { stdout } = await launch(['start', ...args], tmpdir()).ended
  assert.deepEqual(JSON.parse(stdout), { args, cwd: tmpdir() })
})

test('two at once install once: the second says that it waits', async () => {
  const both = await Promise.all([start(), start()])
  assert.deepEqual(
    both.map(({ code }) => code),
    [0, 0],
  )
  assert.equal(npmRuns(), 1)
  assert.match(both.map(({ stderr }) => stderr).join(), /Another start \(process \d+\) is installing/)
  assert.equal(existsSync(join(home, '.install-lock')), false)
})

test('the lock of a launcher that died, or of a process that is none, holds nobody up', async () => {
  for (const holder of ['999999999', String(process.pid), 'nonsense']) {
    symlinkSync(holder, join(home, '.install-lock'))
    const several = await Promise.all([start(), start(), start()])
    assert.deepEqual(
      several.map(({ code }) => code),
      [0, 0, 0],
    )
    assert.equal(npmRuns(), 1)
    rmSync(join(home, 'npm-runs'))
    rmSync(join(home, 'node_modules'), { recursive: true })
  }
})

test('when npm fails it shows what npm said and starts nothing; the next start tries again', async () => {
  write('npm-cli.js', "console.error('the registry is away'); process.exitCode = 3")
  const { code, stdout, stderr } = await start()
  assert.deepEqual({ code, stdout }, { code: 3, stdout: '' })
  assert.match(stderr, /the registry is away[^]*start again/)
  write('npm-cli.js', fakeNpm)
  assert.equal((await start()).code, 0)
})

test('a pinned runtime that does not run gives way to the machine’s own', async () => {
  await start()
  rmSync(join(home, runtime))
  write(runtime, '#!/nowhere/ld-musl.so\n')
  chmodSync(join(home, runtime), 0o755)
  const { code, stderr } = await start()
  assert.equal(code, 0)
  assert.match(stderr, /own Node v\d+\.\d+\.\d+: the pinned one does not run here/)
})

test('a signal reaches the program once, and its exit code comes back', async () => {
  const count = "let n = 0; process.on('SIGTERM', () => { n++; setTimeout(() => process.exit(40 + n), 200) })"
  write('packages/server/src/main.ts', `${count}; console.log('up'); setInterval(() => {}, 1_000)`)
  const { child, said, ended } = launch(['start'])
  while (!said.stdout.includes('up')) await sleep(20)
  // As from a supervisor that tells every process of the group, npm among them, which tells the launcher again.
  child.kill('SIGTERM')
  await sleep(50)
  child.kill('SIGTERM')
  assert.equal((await ended).code, 41)
})

test('a program ended by a signal ends the launcher with 128 and the signal', async () => {
  write('packages/server/src/main.ts', "process.kill(process.pid, 'SIGKILL'); setInterval(() => {}, 1_000)")
  assert.equal((await start()).code, 137)
})

test('a program it does not know it explains', async () => {
  const { code, stderr } = await launch(['constructor']).ended
  assert.equal(code, 2)
  assert.match(stderr, /^Usage: node run\.mjs <start\|tour\|/)
})
