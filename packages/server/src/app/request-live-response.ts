import { actions as types, type Command, type CommandOutcome, type RunScript } from '@countermand/contract'
import type { Action } from '../core/action-shape.ts'
import { Refusal } from '../core/errors.ts'
import { refuseSecond, refuseUnable, scriptsOf } from '../core/request.ts'
import { splitWords } from '../core/shell-words.ts'
import type { App, Rooms, Work } from './ports.ts'

export interface LiveResponseRequest {
  readonly machineId: string
  readonly requestor: string
  readonly comment: string | null
  readonly externalId: string | null
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

export const issueLiveResponse: Work<Issue, Action> = async (rooms, request, { at }) => {
  const { id, machineId, requestor, comment, externalId, runLimitMs } = request
  const device = await rooms.devices.find(machineId)
  if (device === null) throw new Refusal('ResourceNotFound', `Machine ${machineId} was not found`)
  refuseUnable(device.capabilities, 'LiveResponse', device.facts?.osPlatform ?? null)
  const scripts = scriptsOf(request.commands, device.capabilities)
  const commands: RunScript[] = []
  for (const { scriptName, args } of scripts) commands.push(await pinned(rooms, scriptName, args))
  refuseSecond(await rooms.actions.liveOf(device.id), 'LiveResponse')
  const { reversible } = types.LiveResponse
  const what = {
    id,
    type: 'LiveResponse',
    scope: null,
    reversible,
    runLimitMs,
    parameters: { commands },
  } as const
  const who = { machineId, computerDnsName: device.name, requestor, comment, externalId, createdAt: at }
  return rooms.actions.create(
    { ...what, ...who },
    commands.map((_, index) => created(index)),
  )
}

async function pinned({ library }: Rooms, scriptName: string, asked: string | null): Promise<RunScript> {
  const entry = await library.find(scriptName)
  if (entry === null)
    throw new Refusal('InvalidInput', `The script ${scriptName} was not found in the library.`)
  const args = [...splitWords(asked ?? '')]
  return { type: 'RunScript', scriptName, sha256: entry.sha256, size: entry.size, args, asked }
}

export const created = (index: number): CommandOutcome => ({
  index,
  status: 'Created',
  startedAt: null,
  endedAt: null,
  errors: [],
  result: null,
})
