/** The API as a playbook uses it. */
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { MachineAction, RunScriptResult } from '@countermand/contract'
import { until } from './program.ts'

export interface Event {
  readonly sequence: number
  readonly kind: string
  readonly at: string
  readonly data: Readonly<Record<string, unknown>>
  readonly statement: string | null
}

export interface Answer {
  readonly status: number
  readonly action: MachineAction
}

export interface Api {
  /** Any call, with the token. */
  ask(method: string, path: string, body?: FormData | object): Promise<Response>
  /** A token for a new device, or for one that is to keep its id. */
  enrolmentToken(machineId?: string): Promise<string>
  /** Puts a script into the library under a name of its own, and runs it. */
  run(machineId: string, script: string, args?: string): Promise<MachineAction>
  action(id: string): Promise<MachineAction>
  cancel(id: string, comment?: string): Promise<Answer>
  events(id: string): Promise<readonly Event[]>
  /** The result of the first command, fetched by its link without a token. */
  result(id: string): Promise<RunScriptResult>
  /** Asks until it is so. A server that is away meanwhile is waited for. */
  untilAction(id: string, what: string, isSo: (action: MachineAction) => boolean): Promise<MachineAction>
  untilOver(id: string): Promise<MachineAction>
}

export const isOver = ({ status }: MachineAction): boolean => status !== 'Pending' && status !== 'InProgress'
export const isRunning = ({ status }: MachineAction): boolean => status === 'InProgress'

interface Credentials {
  readonly apiUrl: string
  readonly tokenUrl: string
  readonly clientId: string
  readonly clientSecret: string
}

let scripts = 0

/** `reachedAt`: where, if not where the server says. */
export async function openApi(dataFolder: string, reachedAt?: string): Promise<Api> {
  const credentials: Credentials = JSON.parse(await readFile(join(dataFolder, 'credentials.json'), 'utf8'))
  const here = (url: string): string => (reachedAt === undefined ? url : reachedAt + new URL(url).pathname)
  const token = await tokenFor({ ...credentials, tokenUrl: here(credentials.tokenUrl) })
  const base = reachedAt ?? credentials.apiUrl
  const ask = async (method: string, path: string, body?: FormData | object): Promise<Response> => {
    const isForm = body instanceof FormData
    const headers = {
      authorization: `Bearer ${token}`,
      ...(!isForm && { 'content-type': 'application/json' }),
    }
    const sent = isForm ? body : JSON.stringify(body)
    return fetch(base + path, { method, headers, ...(sent !== undefined && { body: sent }) })
  }
  const get = async <T>(path: string): Promise<T> => read(await ask('GET', path))
  const action = (id: string): Promise<MachineAction> => get(`/api/machineactions/${id}`)
  const untilAction: Api['untilAction'] = (id, what, isSo) =>
    until(`action ${id}: ${what}`, async () => {
      const now = await action(id)
      if (isSo(now)) return now
      throw new Error(JSON.stringify(now))
    })
  return {
    ask,
    enrolmentToken: async (machineId) => {
      const body = machineId === undefined ? {} : { MachineId: machineId }
      const answer = await ask('POST', '/api/countermand/enrolmenttokens', body)
      return (await read<{ enrolmentToken: string }>(answer)).enrolmentToken
    },
    run: async (machineId, script, args) => {
      const name = `script-${(scripts += 1)}.sh`
      const form = new FormData()
      form.set('file', new File([script], name))
      form.set('OverrideIfExists', 'true')
      await read(await ask('POST', '/api/libraryfiles', form))
      const params = [{ key: 'ScriptName', value: name }]
      if (args !== undefined) params.push({ key: 'Args', value: args })
      const body = { Comment: 'end to end', Commands: [{ type: 'RunScript', params }] }
      return read(await ask('POST', `/api/machines/${machineId}/runliveresponse`, body))
    },
    action,
    cancel: async (id, comment = 'wrong button') => {
      const response = await ask('POST', `/api/machineactions/${id}/cancel`, { Comment: comment })
      return { status: response.status, action: await parse(response) }
    },
    events: async (id) =>
      (await get<{ value: readonly Event[] }>(`/api/countermand/actions/${id}/events`)).value,
    result: async (id) => {
      const link = await get<{ value: string }>(
        `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`,
      )
      return read(await fetch(here(link.value)))
    },
    untilAction,
    untilOver: (id) => untilAction(id, 'over', isOver),
  }
}

async function tokenFor({ tokenUrl, clientId, clientSecret }: Credentials): Promise<string> {
  const form = new URLSearchParams({
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
    scope: 'https://api.securitycenter.microsoft.com/.default',
  })
  const answer = await read<{ access_token: string }>(await fetch(tokenUrl, { method: 'POST', body: form }))
  return answer.access_token
}

async function read<T>(response: Response): Promise<T> {
  if (!response.ok) throw new Error(`${response.status} ${await response.text()}`)
  return parse(response)
}

async function parse<T>(response: Response): Promise<T> {
  const value: T = JSON.parse(await response.text())
  return value
}
