/** Files between a device and this server, by sealed links: each for one file or one result, for a while (`docs/protocol.md`). */
import { commandsOf, packageLimit, type Link, type LinkRequest } from '@countermand/contract'
import type { Action } from '../../core/action-shape.ts'
import { isOpen } from '../../core/action.ts'
import { Refusal } from '../../core/errors.ts'
import { libraryShelf } from './library-files.ts'
import { resultShelf } from './result-files.ts'
import type { App, Part, ShelvedFile, StoredFile, UploadPlace } from '../ports.ts'

const linkLifetimeMs = 30 * 60_000
const purpose = 'transfer'
const mebibyte = 1024 * 1024
/** The result of a RunScript: two streams at their caps, escaped as JSON at the worst. */
const scriptResultLimit = 16 * mebibyte
/** A part is what a broken connection costs. */
export const partLimit = 8 * mebibyte

/** The one thing that a link is for. */
type Subject =
  | { readonly kind: 'file'; readonly action: string; readonly machine: string; readonly sha256: string }
  | { readonly kind: 'result'; readonly action: string; readonly machine: string; readonly index: number }

/**
 * A link for a device that has shown its ticket.
 * @throws Refusal ResourceNotFound for what is not an open action of its own, or a file that the action does not pin;
 * InvalidInput for a command that brings no result.
 */
export async function linkTransfer(
  app: App,
  machineId: string,
  actionId: string,
  wanted: LinkRequest,
): Promise<Link> {
  const action = await ownAction(app, machineId, actionId)
  const about = { action: action.id, machine: machineId }
  let subject: Subject
  if ('file' in wanted) {
    refuseUnpinned(action, wanted.file)
    subject = { kind: 'file', ...about, sha256: wanted.file }
  } else {
    resultLimit(action, wanted.result)
    subject = { kind: 'result', ...about, index: wanted.result }
  }
  const until = new Date(app.now().getTime() + linkLifetimeMs)
  return { path: `/device/transfer/${app.signer.seal(purpose, JSON.stringify(subject), until)}` }
}

/** @throws Refusal Forbidden for a link that is not for this; ResourceNotFound once the action is over. */
export async function openTransfer(app: App, link: string): Promise<ShelvedFile & { sha256: string }> {
  const { action, machine, sha256 } = unsealed(app, link, 'file')
  await ownAction(app, machine, action)
  const file = await app.files.open(libraryShelf, sha256)
  if (file === null) throw unknownFile()
  return { sha256, ...file }
}

/** How far an upload is. */
export interface Standing {
  readonly offset: number
  /** What is kept of an upload that is complete. */
  readonly stored: StoredFile | null
}

/** @throws Refusal as for `openTransfer` */
export async function lookAtUpload(app: App, link: string): Promise<Standing> {
  const { action, machine, index } = unsealed(app, link, 'result')
  await ownAction(app, machine, action)
  return standing(app, { actionId: action, index })
}

/** One part of a result as a device sends it. */
export interface SentPart extends Omit<Part, 'limit'> {
  readonly offset: number
  /** Hash of the whole, with the last part. */
  readonly whole: string | null
}

/**
 * Takes a part, or, where `isTaken` is false, nothing, because the upload stands elsewhere.
 * @throws Refusal as for `openTransfer`; InvalidInput where a hash is another, RequestEntityTooLarge, ServiceUnavailable
 */
export async function takePart(
  app: App,
  link: string,
  part: SentPart,
): Promise<Standing & { isTaken: boolean }> {
  const { action: actionId, machine, index } = unsealed(app, link, 'result')
  const place = { actionId, index }
  return app.uploads.alone(place, async () => {
    // In here, as is the removal: what comes too late finds the action over, and what came before is removed.
    const action = await ownAction(app, machine, actionId)
    const before = await standing(app, place)
    if (part.offset === 0) await app.uploads.discard(place)
    else if (part.offset !== before.offset || before.stored !== null) return { ...before, isTaken: false }
    const offset = await append(app, place, part, resultLimit(action, index))
    if (part.whole === null) return { offset, stored: null, isTaken: true }
    const stored = await app.uploads.finish(place, part.whole, resultShelf(actionId, index))
    await keepFew(app, action, index)
    return { offset, stored, isTaken: true }
  })
}

async function append(app: App, place: UploadPlace, part: SentPart, limit: number): Promise<number> {
  const { content, sha256, offset } = part
  const room = Math.max(0, limit - offset)
  try {
    return await app.uploads.append(place, { content, sha256, limit: Math.min(partLimit, room) })
  } catch (thrown) {
    const isTooLarge = thrown instanceof Refusal && thrown.code === 'RequestEntityTooLarge'
    if (!isTooLarge || room >= partLimit) throw thrown
    await app.uploads.discard(place)
    throw new Refusal('RequestEntityTooLarge', `The result is larger than ${limit} bytes; it was discarded.`)
  }
}

/** An upload in progress counts before what was complete earlier. */
async function standing(app: App, place: UploadPlace): Promise<Standing> {
  const offset = await app.uploads.offset(place)
  if (offset !== null) return { offset, stored: null }
  const kept = await app.files.list(resultShelf(place.actionId, place.index))
  const [last] = kept.toSorted((a, b) => b.changedAt.getTime() - a.changedAt.getTime())
  if (last === undefined) return { offset: 0, stored: null }
  return { offset: last.size, stored: { sha256: last.name, size: last.size } }
}

/** Of one result, until it is known which of them the device has reported. */
const mostKept = 4

/**
 * What came earlier stays until the action has ended: this may be a request of an agent that has died since, held up on its way, and
 * the one that the device tells of is the other. But a device cannot fill the shelf.
 */
async function keepFew(app: App, action: Action, index: number): Promise<void> {
  const reported = action.commands.find((command) => command.index === index)?.result?.sha256
  const shelf = resultShelf(action.id, index)
  const kept = await app.files.list(shelf)
  const oldest = kept.toSorted((a, b) => b.changedAt.getTime() - a.changedAt.getTime()).slice(mostKept)
  for (const { name } of oldest) if (name !== reported) await app.files.remove(shelf, name)
}

function unsealed<Kind extends Subject['kind']>(
  app: App,
  link: string,
  kind: Kind,
): Extract<Subject, { kind: Kind }> {
  const text = app.signer.unseal(purpose, link, app.now())
  const subject: Subject | null = text === null ? null : JSON.parse(text)
  if (subject === null || !isOf(subject, kind))
    throw new Refusal('Forbidden', 'This link is not valid for this, or no longer valid; ask for a new one.')
  return subject
}

const isOf = <Kind extends Subject['kind']>(
  subject: Subject,
  kind: Kind,
): subject is Extract<Subject, { kind: Kind }> => subject.kind === kind

async function ownAction(app: App, machineId: string, actionId: string): Promise<Action> {
  const action = await app.store.read('action', actionId)
  // Another device's action is as unknown as none: nothing is learnt by trying.
  if (action === null || action.machineId !== machineId || !isOpen(action)) {
    throw new Refusal('ResourceNotFound', `Machine action ${actionId} was not found`)
  }
  return action
}

const unknownFile = (): Refusal => new Refusal('ResourceNotFound', 'The file was not found')

function refuseUnpinned({ parameters }: Action, sha256: string): void {
  const isPinned = commandsOf(parameters).some(
    (command) => command.type !== 'GetFile' && command.sha256 === sha256,
  )
  if (!isPinned) throw unknownFile()
}

/** The most bytes that the result of a step may have. @throws Refusal InvalidInput where it brings none. */
function resultLimit({ type, parameters, commands }: Action, index: number): number {
  if (!commands.some((command) => command.index === index))
    throw new Refusal('InvalidInput', `The action has no command with the index ${index}.`)
  if (type === 'CollectInvestigationPackage') return packageLimit
  const command = commandsOf(parameters)[index]
  switch (command?.type) {
    case 'RunScript':
      return scriptResultLimit
    case 'GetFile':
      // What does not compress grows a little.
      return command.limit + Math.ceil(command.limit / 100) + mebibyte
    case 'PutFile':
    case undefined:
      throw new Refusal('InvalidInput', `Command ${index} brings no result.`)
  }
}
