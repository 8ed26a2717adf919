/** The API as somebody sees it who may get no answer: what was said counts, what was not said is not known. */
import type { LibraryFile, MachineAction, RunScriptResult } from '@countermand/contract'
import { openApi, type Api, type Event } from '../end-to-end/api.ts'

/** What the server said. */
export interface Said<T> {
  readonly status: number
  readonly body: T
}

/** Null where no answer came, or not the whole of one. */
export type Asked<T> = Promise<Said<T> | null>

export interface Client {
  enrolmentToken(): Asked<{ readonly enrolmentToken: string }>
  upload(name: string, text: string): Asked<LibraryFile>
  run(machineId: string, order: { script: string; args: string; comment: string }): Asked<MachineAction>
  cancel(id: string, comment: string, graceSeconds: number): Asked<MachineAction>
  action(id: string): Asked<MachineAction>
  events(id: string): Asked<{ readonly value: readonly Event[] }>
  actions(): Asked<{ readonly value: readonly MachineAction[] }>
  library(): Asked<{ readonly value: readonly LibraryFile[] }>
  machines(): Asked<{ readonly value: readonly { readonly id: string }[] }>
  /** The result of the script, fetched by its link. */
  result(id: string): Asked<RunScriptResult>
}

/** An API token lives for an hour; a long run outlives it. */
const tokenLivesMs = 30 * 60_000

export async function openClient(dataFolder: string): Promise<Client> {
  let api = await openApi(dataFolder)
  let madeAt = performance.now()
  const renewed = async (): Promise<Api> => {
    if (performance.now() - madeAt < tokenLivesMs) return api
    api = await openApi(dataFolder)
    madeAt = performance.now()
    return api
  }
  const ask = async <T>(method: string, path: string, body?: FormData | object): Asked<T> =>
    said(async () => (await renewed()).ask(method, path, body))
  return {
    enrolmentToken: () => ask('POST', '/api/countermand/enrolmenttokens', {}),
    upload: (name, text) => {
      const form = new FormData()
      form.set('file', new File([text], name))
      form.set('OverrideIfExists', 'true')
      return ask('POST', '/api/libraryfiles', form)
    },
    run: (machineId, { script, args, comment }) => {
      const params = [
        { key: 'ScriptName', value: script },
        { key: 'Args', value: args },
      ]
      // The script's own text is put on the device too, so that there is something to take back.
      const put = { type: 'PutFile', params: [{ key: 'FileName', value: script }] }
      const body = { Comment: comment, Commands: [put, { type: 'RunScript', params }] }
      return ask('POST', `/api/machines/${machineId}/runliveresponse`, body)
    },
    cancel: (id, comment, graceSeconds) =>
      ask('POST', `/api/machineactions/${id}/cancel`, { Comment: comment, countermand: { graceSeconds } }),
    action: (id) => ask('GET', `/api/machineactions/${id}`),
    events: (id) => ask('GET', `/api/countermand/actions/${id}/events`),
    actions: () => ask('GET', '/api/machineactions'),
    library: () => ask('GET', '/api/libraryfiles'),
    machines: () => ask('GET', '/api/machines'),
    result: async (id) => {
      const path = `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=1)`
      const link = await ask<{ value: string }>('GET', path)
      if (link === null) return null
      if (link.status !== 200) throw new Error(`no link to the result: ${link.status}`)
      return said(() => fetch(link.body.value))
    },
  }
}

async function said<T>(ask: () => Promise<Response>): Asked<T> {
  let response: Response
  let text: string
  try {
    response = await ask()
    text = await response.text()
  } catch {
    return null
  }
  const body: T = JSON.parse(text)
  return { status: response.status, body }
}
