/** `countermand-agent`: read the configuration, lock the folder, run, leave on a signal. */
import { createHash } from 'node:crypto'
import { access, constants } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { runAgent } from './agent.ts'
import { readConfig, usage, type Config } from './config.ts'
import { makeFolder } from './host/files.ts'
import { openFirewall } from './host/firewall/firewall.ts'
import { bootId, bootSeconds } from './host/clock.ts'
import { openHost } from './host/host.ts'
import { FolderInUse, lockFolder } from './host/lock.ts'
import { readIdentity } from './identity.ts'
import { armKillPoint } from './kill-points.ts'
import { carryOut, type Command } from './posture/commands.ts'
import { pretendFirewall } from './pretend/firewall.ts'
import { pretendHost } from './pretend/host.ts'
import { plainly } from './trouble.ts'

const log = (line: string): void => console.log(line)

async function main(): Promise<void> {
  if (process.argv.includes('--help')) return log(usage)
  const config = readConfig(process.argv.slice(2), process.env)
  armKillPoint(process.env.COUNTERMAND_KILL_AT)
  if (config.command !== 'run') return runCommand(config.command, config)
  const leaving = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => leaving.abort())
  if (config.tied) process.stdin.on('end', () => leaving.abort()).resume()

  const { dataFolder } = config
  await makeWritable(dataFolder)
  const lock = await takeFolder(dataFolder)
  const name = nameOf(dataFolder)
  const host = config.pretend
    ? pretendHost(dataFolder)
    : await openHost({
        name,
        dataFolder,
        log,
        signatures: config.signatures,
        fileSystems: config.restrictFileSystems,
      })
  log(host.scopes.description)
  try {
    await runAgent({ ...config, host, log }, leaving.signal)
  } finally {
    lock.release()
  }
}

/** Two agents on one host, each with its own folder, must not take each other's scopes or rules for their own. */
const nameOf = (dataFolder: string): string =>
  createHash('sha256').update(dataFolder).digest('hex').slice(0, 12)

/** Beside an agent that runs, or without one: so the folder is not locked. */
async function runCommand(command: Command, config: Config): Promise<void> {
  const { dataFolder, pretend, answer, server } = config
  const known = await readIdentity(dataFolder)
  const identity = known && { ...known, server: server ?? known.server }
  const folder = join(dataFolder, 'firewall')
  const firewall = pretend ? pretendFirewall() : openFirewall({ name: nameOf(dataFolder), folder, log })
  const host = { firewall, bootId, bootSeconds, now: () => new Date().toISOString() }
  const parts = { dataFolder, identity, host, answer, input: process.stdin, say: log }
  process.exitCode = await carryOut(command, parts)
}

/** Everything that this agent does begins with a word on disk. */
async function makeWritable(folder: string): Promise<void> {
  try {
    await makeFolder(folder)
    await access(folder, constants.W_OK)
  } catch (thrown) {
    throw new Error(
      `The data folder ${folder} cannot be written, ${plainly(thrown)}. Make it writable, or name another one with --data.`,
      { cause: thrown },
    )
  }
}

/** An agent that is just leaving is waited for. */
async function takeFolder(folder: string): Promise<{ release(): void }> {
  for (let tries = 1; ; tries += 1) {
    try {
      return lockFolder(folder)
    } catch (thrown) {
      if (!(thrown instanceof FolderInUse) || tries === 50) throw thrown
      await pause(200)
    }
  }
}

main().catch((thrown: unknown) => {
  console.error(thrown instanceof Error ? thrown.message : thrown)
  process.exit(1)
})
