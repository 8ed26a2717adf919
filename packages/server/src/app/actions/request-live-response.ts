import type { Command, LiveResponseCommand } from '@countermand/contract'
import { getFileLimit } from '@countermand/contract'
import type { Action } from '../../core/action-shape.ts'
import type { Device } from '../../core/device.ts'
import { Refusal } from '../../core/errors.ts'
import { refuseBeyondSessions, requestedCommands, type RequestedCommand } from '../../core/request.ts'
import { splitWords } from '../../core/shell-words.ts'
import type { App } from '../ports.ts'
import type { LibraryEntry, Rooms, Work } from '../rows.ts'
import { issueAction, ordered, type ActionRequest, type Ordered } from './request-action.ts'

export interface LiveResponseRequest extends ActionRequest {
  readonly commands: readonly Command[]
}

/** What the server allows, as configured. */
interface Allowed {
  readonly limitsMs: Readonly<Record<Command['type'], number>>
  /** Bytes. */
  readonly putLimit: number
  /** Null for any number. */
  readonly sessions: number | null
}

/** Issues a live response. Files are pinned by their hash here: what the library holds later changes nothing. */
export const requestLiveResponse = (app: App, request: LiveResponseRequest): Promise<Action> => {
  const { LiveResponse: RunScript, PutFile, GetFile } = app.runLimitsMs
  const { putLimit, sessions } = app
  const { runLimitMs: each } = request
  const limitsMs = { PutFile: each ?? PutFile, RunScript: each ?? RunScript, GetFile: each ?? GetFile }
  const allowed = { limitsMs, putLimit, sessions }
  return app.store.write('issueLiveResponse', { ...ordered(app, 'LiveResponse', request), allowed })
}

type Issue = Ordered<LiveResponseRequest> & { readonly allowed: Allowed }

export const issueLiveResponse: Work<Issue, Action> = (rooms, request, { at }) => {
  const { commands: asked, allowed } = request
  const { limitsMs, sessions } = allowed
  const what = {
    type: 'LiveResponse',
    scope: null,
    runLimitMs: asked.reduce((sum, { type }) => sum + limitsMs[type], 0),
    parametersOf: async ({ capabilities }: Device) => {
      const commands: LiveResponseCommand[] = []
      for (const [index, command] of requestedCommands(asked, capabilities).entries())
        commands.push(await pinned(rooms, command, { where: `Commands[${index}]`, ...allowed }))
      return { commands }
    },
    refuseFull: async () => {
      if (sessions !== null) refuseBeyondSessions(await rooms.actions.sessions(sessions), sessions)
    },
  } as const
  return issueAction(rooms, request, what, at)
}

async function pinned(
  rooms: Rooms,
  command: RequestedCommand,
  { where, limitsMs, putLimit }: Allowed & { readonly where: string },
): Promise<LiveResponseCommand> {
  const { type } = command
  const limitMs = limitsMs[type]
  switch (type) {
    case 'PutFile': {
      const { fileName } = command
      const { sha256, size } = await inLibrary(rooms, 'file', fileName)
      if (size > putLimit) {
        const text = `${where}: ${fileName} has ${size} bytes, and PutFile brings at most ${putLimit} to a device.`
        throw new Refusal('InvalidInput', text)
      }
      return { type, fileName, sha256, size, limitMs }
    }
    case 'RunScript': {
      const { scriptName, args: asked } = command
      const { sha256, size } = await inLibrary(rooms, 'script', scriptName)
      return { type, scriptName, sha256, size, args: [...splitWords(asked ?? '')], asked, limitMs }
    }
    case 'GetFile':
      return { type, path: command.path, limit: getFileLimit, limitMs }
  }
}

async function inLibrary(
  { library }: Rooms,
  kind: 'file' | 'script',
  fileName: string,
): Promise<LibraryEntry> {
  const entry = await library.find(fileName)
  if (entry !== null) return entry
  throw new Refusal('InvalidInput', `The ${kind} ${fileName} was not found in the library.`)
}
