import { commandsOf } from '@countermand/contract'
import type { Action } from '../core/action-shape.ts'
import { isOpen } from '../core/action.ts'
import { Refusal } from '../core/errors.ts'
import { libraryShelf } from './library-files.ts'
import type { App, StoredFile } from './ports.ts'

/** `wire.md` 3.3, D5. */
const linkLifetimeMs = 30 * 60_000
/** The result of a RunScript: two streams at their caps, escaped as JSON at the worst. */
const resultLimit = 16 * 1024 * 1024

const shelfOf = (actionId: string, index: number): string => `results/${actionId}/${index}`
const purpose = 'download'

/**
 * Path of a short-lived link to the result of one command; no token is needed to follow it.
 * @throws Refusal InvalidInput for a command that there is not; ResourceNotFound while it has no result.
 */
export function resultLink(app: App, action: Action, index: number): string {
  const command = action.commands.find((held) => held.index === index)
  if (command === undefined)
    throw new Refusal('InvalidInput', `The action has no command with the index ${index}.`)
  if (command.result === null) {
    throw new Refusal(
      'ResourceNotFound',
      `Command ${index} of machine action ${action.id} has no result (${command.status}).`,
    )
  }
  const { sha256, fileName } = command.result
  const until = new Date(app.now().getTime() + linkLifetimeMs)
  const sealed: Sealed = { shelf: shelfOf(action.id, index), sha256, fileName }
  const subject = JSON.stringify(sealed)
  return `/download/${app.signer.seal(purpose, subject, until)}`
}

interface Sealed {
  readonly shelf: string
  readonly sha256: string
  readonly fileName: string
}

export interface Download {
  readonly fileName: string
  readonly size: number
  readonly content: AsyncIterable<Uint8Array>
}

/** @throws Refusal Forbidden for a link that is over or not ours; ResourceNotFound when the file is gone. */
export async function openDownload(app: App, sealed: string): Promise<Download> {
  const subject = app.signer.unseal(purpose, sealed, app.now())
  if (subject === null)
    throw new Refusal('Forbidden', 'This link is not valid or no longer valid; ask for a new one.')
  const { shelf, sha256, fileName }: Sealed = JSON.parse(subject)
  const file = await app.files.open(shelf, sha256)
  if (file === null) throw new Refusal('ResourceNotFound', 'The result was not found')
  return { fileName, ...file }
}

/** A result that a device brings, for an action of its own that it has begun. */
export async function takeResult(
  app: App,
  machineId: string,
  place: { actionId: string; index: number },
  content: AsyncIterable<Uint8Array>,
): Promise<StoredFile> {
  const action = await ownAction(app, machineId, place.actionId)
  if (!action.commands.some(({ index }) => index === place.index))
    throw new Refusal('InvalidInput', 'No such command.')
  return app.files.put(shelfOf(place.actionId, place.index), content, resultLimit)
}

/** A file that a device's own action refers to, and no other. */
export async function openScript(
  app: App,
  machineId: string,
  actionId: string,
  sha256: string,
): Promise<Omit<Download, 'fileName'>> {
  const action = await ownAction(app, machineId, actionId)
  const isPinned = commandsOf(action.parameters).some((command) => command.sha256 === sha256)
  const file = isPinned ? await app.files.open(libraryShelf, sha256) : null
  if (file === null) throw new Refusal('ResourceNotFound', 'The file was not found')
  return file
}

async function ownAction(app: App, machineId: string, actionId: string): Promise<Action> {
  const action = await app.store.read('action', actionId)
  // Another device's action is as unknown as none: nothing is learnt by trying.
  if (action === null || action.machineId !== machineId || !isOpen(action)) {
    throw new Refusal('ResourceNotFound', `Machine action ${actionId} was not found`)
  }
  return action
}
