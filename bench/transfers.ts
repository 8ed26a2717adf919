/**
 * What it costs to bring large files: a GetFile of 3 GB of random bytes, and a package over a slow line. Peak memory of the server
 * and of the agent, each over what it had when idle.
 */
import { createHash, randomFillSync } from 'node:crypto'
import { once } from 'node:events'
import { openSync, readFileSync, rmSync, writeFileSync, writeSync, closeSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { setTimeout as pause } from 'node:timers/promises'
import { createGunzip } from 'node:zlib'
import type { MachineAction } from '@countermand/contract'
import { withWorld, type World } from '../test/end-to-end/fixture.ts'

const gigabytes = Number(process.env.COUNTERMAND_BENCH_GIGABYTES ?? 3)
const slowBytesPerSecond = 50_000

export async function benchTransfers(): Promise<void> {
  await withWorld({}, async (world) => {
    const before = await resting(world)
    const place = join(world.folder, 'random.bin')
    const sha256 = writeRandom(place, Math.round(gigabytes * 1e9))
    const startedAt = performance.now()
    const body = {
      Comment: 'bench',
      Commands: [{ type: 'GetFile', params: [{ key: 'Path', value: place }] }],
    }
    const id = await issue(world, 'runliveresponse', body)
    const peak = await peakUntilOver(world, id)
    const seconds = (performance.now() - startedAt) / 1000
    const path = `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`
    const same = (await hashOf(world, path)) === sha256
    say(
      `GetFile of ${gigabytes} GB, ${Math.round((gigabytes * 1000) / seconds)} MB/s, ${same ? 'the same bytes' : 'OTHER BYTES'}`,
      before,
      peak,
    )
    rmSync(place)
  })
  const line = await openLine()
  try {
    await withWorld(line.options, async (world) => {
      const before = await resting(world)
      const id = await issue(world, 'collectInvestigationPackage', { Comment: 'bench' })
      say(`package over ${slowBytesPerSecond / 1000} kB/s`, before, await peakUntilOver(world, id))
    })
  } finally {
    line.close()
  }
}

interface Memory {
  readonly server: number
  readonly agent: number
}

const megabytesOf = (pid: number, name: 'VmRSS' | 'VmHWM'): number => {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024
}

const memoryOf = ({ server, device }: World, name: 'VmRSS' | 'VmHWM'): Memory => ({
  server: megabytesOf(server.pid, name),
  agent: megabytesOf(device.program.pid, name),
})

/** Idle, and from here on the highest is remembered by the kernel. */
async function resting(world: World): Promise<Memory> {
  await pause(5_000)
  for (const pid of [world.server.pid, world.device.program.pid])
    writeFileSync(`/proc/${pid}/clear_refs`, '5')
  return memoryOf(world, 'VmRSS')
}

async function peakUntilOver(world: World, id: string): Promise<Memory> {
  for (;;) {
    const { status, countermand }: MachineAction = await world.api.action(id)
    if (status === 'Succeeded') return memoryOf(world, 'VmHWM')
    if (status !== 'Pending' && status !== 'InProgress') throw new Error(`it ended as ${status}`)
    const { step = 0, share = null, line = '' } = countermand.progress ?? {}
    process.stderr.write(
      `\r${step} ${share === null ? '' : `${(share * 100).toFixed(0)} %`} ${line}   `.slice(0, 100),
    )
    await pause(1_000)
  }
}

function say(what: string, before: Memory, peak: Memory): void {
  const of = (name: keyof Memory): string =>
    `${name} ${before[name].toFixed(0)} MB idle, at most ${(peak[name] - before[name]).toFixed(0)} MB over that`
  console.log(`\n${what}: ${of('server')}; ${of('agent')}`)
}

async function issue(world: World, tail: string, body: object): Promise<string> {
  const response = await world.api.ask('POST', `/api/machines/${world.device.machineId}/${tail}`, body)
  const { id }: MachineAction = JSON.parse(await response.text())
  return id
}

function writeRandom(place: string, bytes: number): string {
  const hash = createHash('sha256')
  const file = openSync(place, 'w')
  const block = Buffer.alloc(8_000_000)
  for (let left = bytes; left > 0; left -= block.length) {
    const piece = randomFillSync(block).subarray(0, Math.min(left, block.length))
    hash.update(piece)
    writeSync(file, piece)
  }
  closeSync(file)
  return hash.digest('hex')
}

async function hashOf({ api }: World, path: string): Promise<string> {
  const { value }: { value: string } = JSON.parse(await (await api.ask('GET', path)).text())
  const { body } = await fetch(value)
  if (body === null) throw new Error('nothing came')
  const hash = createHash('sha256')
  for await (const chunk of Readable.from(body).pipe(createGunzip())) hash.update(chunk)
  return hash.digest('hex')
}

/** A line between device and server that takes so many bytes a second and holds the rest back. */
async function openLine() {
  let port = 0
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1')
    slowly(near, far)
    slowly(far, near)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const url = `http://127.0.0.1:${typeof address === 'object' ? (address?.port ?? 0) : 0}`
  const around = (folder: string): readonly string[] => {
    const { apiUrl }: { apiUrl: string } = JSON.parse(
      readFileSync(join(folder, 'server/credentials.json'), 'utf8'),
    )
    port = Number(new URL(apiUrl).port)
    return []
  }
  return { options: { around, agentFlags: ['--server', url] }, close: () => server.close() }
}

function slowly(from: Socket, to: Socket): void {
  from.on('data', (chunk: Buffer) => {
    from.pause()
    to.write(chunk)
    setTimeout(() => from.resume(), (chunk.length / slowBytesPerSecond) * 1000)
  })
  from.on('end', () => to.end())
  from.on('error', () => to.destroy())
}
