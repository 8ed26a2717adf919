/** `npm start`: read the configuration, compose, listen, start the agent, stop on a signal. */
import { hostname } from 'node:os'
import { join } from 'node:path'
import { startAgent } from './agent-process.ts'
import { announceDevice, makeEnrolmentToken } from './app/enrol-device.ts'
import { compose, type Running } from './compose.ts'
import { ConfigError, readConfig, usage, type Config } from './config.ts'
import { makeCredentials, readCredentials, writeCredentials } from './first-start.ts'
import { lockFolder } from './lock.ts'
import { printTour } from './tour/print.ts'

const say = (line: string): void => console.log(line)

async function main(): Promise<void> {
  const args = process.argv.slice(2)
  if (args.includes('--help')) return say(usage)
  const config = readConfig(args, process.env, process.platform === 'linux')
  const unlock = lockFolder(config.dataFolder)
  const running = await compose(config, { logLevel: process.env.COUNTERMAND_LOG ?? 'info' })
  await running.http.listen({ host: config.host, port: config.port })

  const before = await readCredentials(config.dataFolder)
  const credentials = before ?? (await makeCredentials(running.app, config.publicUrl))
  const local = config.agent === 'none' ? null : await startLocalAgent(running, config, credentials.machineId)
  const machineId = local?.machineId ?? credentials.machineId
  await writeCredentials(config.dataFolder, { ...credentials, machineId })

  say(`countermand is ready on ${config.publicUrl}, data in ${config.dataFolder}`)
  if (machineId !== null) printTour(config.dataFolder, say)

  let stopping = false
  const stop = async (): Promise<void> => {
    if (stopping) return
    stopping = true
    say('stopping: scripts that run go on and are taken up again at the next start')
    await local?.stop()
    await running.close()
    unlock()
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => void stop().then(() => process.exit(0), fail))
}

/** How long a first start waits for the agent, so that what it prints can be tried at once. */
const agentWithinMs = 15_000

async function startLocalAgent({ app }: Running, config: Config, known: string | null): Promise<{ machineId: string; stop: () => Promise<void> }> {
  const machineId = known ?? (await announceDevice(app, hostname()))
  const device = await app.store.read(({ devices }) => devices.find(machineId))
  const token = await makeEnrolmentToken(app, `http://${config.host.includes(':') ? `[${config.host}]` : config.host}:${config.port}`, machineId)
  const seen = new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      void app.store.read(({ devices }) => devices.find(machineId)).then((now) => {
        if (now?.lastSeen?.getTime() !== device?.lastSeen?.getTime()) done()
      }, done)
    }, 50)
    const limit = setTimeout(() => done(), agentWithinMs)
    const done = (): void => {
      clearInterval(timer)
      clearTimeout(limit)
      resolve()
    }
  })
  const stop = startAgent({
    dataFolder: join(config.dataFolder, 'agent'),
    enrolmentToken: token,
    pretend: config.agent === 'pretend',
    allowContainment: config.allowContainment,
    say: (line) => say(`agent: ${line}`),
  })
  await seen
  return { machineId, stop }
}

function fail(thrown: unknown): never {
  if (thrown instanceof ConfigError) console.error(`${thrown.message}\n\n${usage}`)
  else console.error(thrown)
  process.exit(1)
}

main().catch(fail)
