/** `npm start`: read the configuration, compose, listen, start the agent, stop on a signal. */
import { compose } from './compose.ts'
import { ConfigError, printConfig, readConfig, usage } from './config/index.ts'
import { armKillPoint } from './kill-points.ts'
import { addresses, makeCredentials, readCredentials, writeCredentials } from './start/credentials.ts'
import { startLocalAgent, type LocalAgent } from './start/local-agent.ts'
import { StartError, lockFolder } from './start/lock.ts'
import { printTour } from './tour/print.ts'

const say = (line: string): void => console.log(line)

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  if (args.includes('--help')) return say(usage)
  const rest = args.filter((arg) => arg !== '--print-config')
  if (rest.length < args.length) return say(printConfig(rest, process.env).trimEnd())
  const config = readConfig(args, process.env, process.platform === 'linux')
  armKillPoint(process.env.COUNTERMAND_KILL_AT)
  // Everything in the data folder is for its owner: keys, rows, results.
  process.umask(0o077)
  const unlock = lockFolder(config.dataFolder)
  const server = await compose(config, { logLevel: config.logLevel })
  let agent: LocalAgent | null = null
  onSignal(async () => {
    say('stopping: scripts that run go on, and are taken up again at the next start')
    await agent?.stop()
    await server.close()
    unlock()
  })
  const { host, port } = config
  // Its own words know of no TLS.
  await server.http.listen({ host, port, listenTextResolver: () => `listening at ${config.localUrl}` })

  const known = await readCredentials(config.dataFolder)
  const credentials = known ?? (await makeCredentials(server.app, config))
  if (config.agent !== 'none') agent = await startLocalAgent(server.app, config, credentials.machineId, say)
  const machineId = agent?.machineId ?? credentials.machineId
  const reached = addresses(server.app, config)
  await writeCredentials(config.dataFolder, { ...credentials, ...reached, machineId })
  say(`countermand is ready on ${config.publicUrl}; data and credentials.json are in ${config.dataFolder}`)
  if (machineId !== null) printTour(config, say)
}

/** Once, however often it is asked to: a terminal and a launcher may both pass a signal on. */
function onSignal(stop: () => Promise<void>): void {
  let stopping: Promise<void> | null = null
  const once = async (): Promise<void> => {
    stopping ??= stop()
    await stopping
    process.exit(0)
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void once().catch(fail))
}

function fail(thrown: unknown): never {
  if (thrown instanceof ConfigError)
    console.error(`${thrown.message}\n\nEverything that can be set: npm start -- --help`)
  else console.error(thrown instanceof StartError ? thrown.message : thrown)
  process.exit(1)
}

main().catch(fail)
