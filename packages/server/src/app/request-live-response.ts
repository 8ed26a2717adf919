import type { Command, RunScript } from '@countermand/contract'
import type { Action } from '../core/action-shape.ts'
import type { Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import { scriptsOf } from '../core/request.ts'
import { splitWords } from '../core/shell-words.ts'
import type { App, Rooms, Work } from './ports.ts'
import { issueAction, type ActionRequest } from './request-action.ts'

export interface LiveResponseRequest extends ActionRequest {
  readonly commands: readonly Command[]
}

/** Issues a live response. Scripts are pinned by their hash here: what the library holds later changes nothing. */
export const requestLiveResponse = (app: App, request: LiveResponseRequest): Promise<Action> =>
  app.store.write('issueLiveResponse', {
    ...request,
    id: app.ids.action(app.now()),
    runLimitMs: app.runLimitsMs.LiveResponse,
  })

type Issue = LiveResponseRequest & { readonly id: string; readonly runLimitMs: number }

export const issueLiveResponse: Work<Issue, Action> = (rooms, request, { at }) => {
  const { id, runLimitMs, commands: asked } = request
  const what = {
    id,
    type: 'LiveResponse',
    scope: null,
    runLimitMs,
    parametersOf: async ({ capabilities }: Device) => {
      const commands: RunScript[] = []
      for (const { scriptName, args } of scriptsOf(asked, capabilities))
        commands.push(await pinned(rooms, scriptName, args))
      return { commands }
    },
  } as const
  return issueAction(rooms, request, what, at)
}

async function pinned({ library }: Rooms, scriptName: string, asked: string | null): Promise<RunScript> {
  const entry = await library.find(scriptName)
  if (entry === null)
    throw new Refusal('InvalidInput', `The script ${scriptName} was not found in the library.`)
  const args = [...splitWords(asked ?? '')]
  return { type: 'RunScript', scriptName, sha256: entry.sha256, size: entry.size, args, asked }
}
