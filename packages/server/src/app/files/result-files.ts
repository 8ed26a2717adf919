import { commandsOf } from '@countermand/contract'
import type { Action } from '../../core/action-shape.ts'
import { Refusal } from '../../core/errors.ts'
import type { App, ShelvedFile } from '../ports.ts'

/** `wire.md` 3.3, D5. */
const linkLifetimeMs = 30 * 60_000
const purpose = 'download'

/** A shelf in it for each action, and in that one for each command. */
export const resultsShelf = 'results'
export const resultShelf = (actionId: string, index: number): string => `${resultsShelf}/${actionId}/${index}`

/**
 * Path of a short-lived link to the result of one command; no token is needed to follow it.
 * @throws Refusal InvalidInput for a command that there is not; ResourceNotFound while it has no result.
 */
export function resultLink(app: App, action: Action, index: number): string {
  // What a package holds is not for everybody who may read results: it has a link of its own, and limits of its own.
  if (commandsOf(action.parameters)[index] === undefined)
    throw new Refusal('InvalidInput', `The action has no command with the index ${index}.`)
  return linkTo(app, action, index)
}

function linkTo(app: App, action: Action, index: number): string {
  const step = action.commands.find((held) => held.index === index)
  if (step === undefined || step.result === null) {
    const lacks =
      action.type === 'CollectInvestigationPackage'
        ? `Machine action ${action.id} has no package`
        : `Command ${index} of machine action ${action.id} has no result`
    throw new Refusal('ResourceNotFound', `${lacks} (${step?.status ?? 'Created'}).`)
  }
  const { sha256, fileName } = step.result
  const until = new Date(app.now().getTime() + linkLifetimeMs)
  const sealed: Sealed = { shelf: resultShelf(action.id, index), sha256, fileName }
  const subject = JSON.stringify(sealed)
  return `/download/${app.signer.seal(purpose, subject, until)}`
}

/**
 * The same for the package of an investigation.
 * @throws Refusal InvalidInput for an action of another type; ResourceNotFound while it has none.
 */
export function packageLink(app: App, action: Action): string {
  if (action.type !== 'CollectInvestigationPackage')
    throw new Refusal('InvalidInput', `Machine action ${action.id} is a ${action.type}: it has no package.`)
  return linkTo(app, action, 0)
}

interface Sealed {
  readonly shelf: string
  readonly sha256: string
  readonly fileName: string
}

export interface Download extends ShelvedFile {
  readonly fileName: string
  readonly sha256: string
}

/** @throws Refusal Forbidden for a link that is over or not ours; ResourceNotFound when the file is gone. */
export async function openDownload(app: App, sealed: string): Promise<Download> {
  const subject = app.signer.unseal(purpose, sealed, app.now())
  if (subject === null)
    throw new Refusal('Forbidden', 'This link is not valid or no longer valid; ask for a new one.')
  const { shelf, sha256, fileName }: Sealed = JSON.parse(subject)
  const file = await app.files.open(shelf, sha256)
  if (file === null) throw new Refusal('ResourceNotFound', 'The result was not found')
  return { fileName, sha256, ...file }
}
