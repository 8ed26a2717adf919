/** A rehearsal as a playbook's author has it: one command, and the public API. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Machine, MachineAction } from '@countermand/contract'
import { root } from '../architecture/tree.ts'
import { openApi, type Api } from '../end-to-end/api.ts'
import { freePort } from '../end-to-end/fixture.ts'
import { openProgram, until, type Program } from '../end-to-end/program.ts'

export interface Stage {
  readonly api: Api
  readonly folder: string
  readonly program: Program
  /** Ids, by name. */
  readonly machines: ReadonlyMap<string, string>
  /** Asks for an action. @throws Error for anything but 201 */
  issue(machine: string, tail: string, body: object): Promise<MachineAction>
  close(): Promise<void>
}

/** For the server: many ask for much at once. */
export const unlimited = {
  COUNTERMAND_LIMITS: 'read=-/-,respond=-/-,liveResponse=-/-,cancel=-/-',
  COUNTERMAND_SESSIONS: '-',
}

/** What devices pretend to run. */
export async function uploadScript({ api }: Stage): Promise<void> {
  const form = new FormData()
  form.set('file', new File(['echo hello\n'], 'run.sh'))
  const { status } = await api.ask('POST', '/api/libraryfiles', form)
  if (status !== 200) throw new Error(`The script was not taken: ${status}.`)
}

/** Every device has enrolled when this resolves. `env`: for the server. */
export async function openStage(
  devices: number,
  flags: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-rehearsal-'))
  const listen = `127.0.0.1:${await freePort()}`
  const main = join(root, 'rehearse/main.ts')
  const own = ['--devices', String(devices), '--listen', listen, '--data', folder, '--plain']
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  const given = { ...Object.fromEntries(inherited), ...env }
  const program = openProgram('rehearsal', () => [process.execPath, main, ...own, ...flags], given)
  program.start()
  try {
    const api = await until('the server', () => openApi(join(folder, 'server')), { withinMs: 90_000 })
    const machines = await until('every device', () => enrolled(api, devices), { withinMs: 120_000 })
    return {
      api,
      folder,
      program,
      machines,
      issue: async (machine, tail, body) => {
        const answer = await api.ask('POST', `/api/machines/${machines.get(machine)}/${tail}`, body)
        const text = await answer.text()
        if (answer.status !== 201) throw new Error(`${tail} → ${answer.status}: ${text}`)
        const action: MachineAction = JSON.parse(text)
        return action
      },
      close: async () => {
        await program.leave()
        rmSync(folder, { recursive: true, force: true })
      },
    }
  } catch (thrown) {
    await program.kill()
    throw new Error(program.output(), { cause: thrown })
  }
}

async function enrolled(api: Api, devices: number): Promise<ReadonlyMap<string, string> | null> {
  const answer = await api.ask('GET', '/api/machines?$top=10000')
  const { value }: { value: readonly Machine[] } = JSON.parse(await answer.text())
  const known = value.filter(({ lastSeen }) => lastSeen !== null)
  if (known.length < devices) return null
  return new Map(known.map(({ id, computerDnsName }) => [computerDnsName ?? '', id]))
}
