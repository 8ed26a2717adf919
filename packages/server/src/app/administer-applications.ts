import type { Permission } from '@countermand/contract'
import {
  changed,
  checkedName,
  newSecret,
  ordered,
  recordOfApplication,
  recordOfNew,
  refuseLastAdministrator,
  refuseSameName,
  withSecret,
  withoutSecret,
  type Application,
  type Change,
  type Secret,
} from '../core/application.ts'
import { serverChain } from '../core/chain.ts'
import { Refusal } from '../core/errors.ts'
import type { App } from './ports.ts'
import type { Rooms, Work } from './rows.ts'

/** @throws Refusal ResourceNotFound */
export async function findApplication(app: App, id: string): Promise<Application> {
  const application = await app.store.read('application', id)
  if (application === null) throw unknown(id)
  return application
}

const unknown = (id: string): Refusal => new Refusal('ResourceNotFound', `Application ${id} was not found`)

/** In the order in which they were made. */
export const listApplications = (app: App): Promise<readonly Application[]> =>
  app.store.read('applications', null)

export interface NewApplication {
  readonly name: string
  readonly permissions: readonly Permission[]
  /** Null for a secret that does not expire. */
  readonly expiresInDays: number | null
  readonly by: string
}

/** What was made, and the secret: it is kept here as a digest only. */
interface WithSecret<Made> {
  readonly made: Made
  readonly secretText: string
}

/** @throws Refusal InvalidInput, Conflict for a name that another application has */
export async function makeApplication(app: App, asked: NewApplication): Promise<WithSecret<Application>> {
  const { secret, secretText } = makeSecret(app, { name: null, expiresInDays: asked.expiresInDays })
  const made: Application = {
    id: app.ids.guid(),
    objectId: app.ids.guid(),
    name: checkedName(asked.name),
    isEnabled: true,
    permissions: ordered(asked.permissions),
    secrets: [secret],
    createdAt: app.now(),
  }
  await app.store.write('keepApplication', { application: made, by: asked.by })
  return { made, secretText }
}

const day = 24 * 60 * 60_000

function makeSecret(
  app: App,
  { name, expiresInDays }: { readonly name: string | null; readonly expiresInDays: number | null },
): { readonly secret: Secret; readonly secretText: string } {
  const now = app.now()
  const secretText = app.ids.secret()
  const endsAt = expiresInDays === null ? null : new Date(now.getTime() + expiresInDays * day)
  const kept = {
    keyId: app.ids.guid(),
    name: name === null ? null : checkedName(name),
    digest: app.digest(secretText),
    endsAt,
  }
  return { secret: newSecret(secretText, kept, now), secretText }
}

type Kept = { readonly application: Application; readonly by: string }

export const keepApplication: Work<Kept, void> = async (
  { applications, events },
  { application, by },
  { at },
) => {
  refuseSameName(await applications.list(), application)
  await applications.create(application)
  await events.append(serverChain, { ...recordOfNew(application), actor: by, alarm: false }, at)
}

/** @throws Refusal ResourceNotFound, InvalidInput, Conflict, DisallowedOperation for the last administrator */
export const updateApplication = (app: App, asked: Changing): Promise<Application> =>
  app.store.write('changeApplication', asked)

interface Changing {
  readonly id: string
  readonly change: Change
  readonly by: string
}

export const changeApplication: Work<Changing, Application> = (rooms, { id, change, by }, { at }) =>
  alter(rooms, { id, by, at }, (application) => changed(application, change))

export interface NewSecret {
  readonly id: string
  readonly name: string | null
  readonly expiresInDays: number | null
  readonly by: string
}

/** The others stay good until they are removed or expire. @throws Refusal BadRequest where there are as many as may be */
export async function addSecret(app: App, asked: NewSecret): Promise<WithSecret<Secret>> {
  const { id, by } = asked
  const { secret, secretText } = makeSecret(app, asked)
  await app.store.write('keepSecret', { id, secret, by })
  return { made: secret, secretText }
}

type Secreted = { readonly id: string; readonly secret: Secret; readonly by: string }

export const keepSecret: Work<Secreted, Application> = (rooms, { id, secret, by }, { at }) =>
  alter(rooms, { id, by, at }, (application) => withSecret(application, secret))

/** @throws Refusal ResourceNotFound, DisallowedOperation for the last secret of the last administrator */
export const removeSecret = (app: App, asked: Removal): Promise<Application> =>
  app.store.write('dropSecret', asked)

interface Removal {
  readonly id: string
  readonly keyId: string
  readonly by: string
}

export const dropSecret: Work<Removal, Application> = (rooms, { id, keyId, by }, { at }) =>
  alter(rooms, { id, by, at }, (application) => withoutSecret(application, keyId.toLowerCase()))

/**
 * Of two who change applications at the same time one is overtaken, even of two applications: both write to the end of the
 * server's chain. So the last two administrators cannot disable each other.
 */
async function alter(
  { applications, events }: Rooms,
  { id, by, at }: { readonly id: string; readonly by: string; readonly at: Date },
  how: (application: Application) => Application,
): Promise<Application> {
  const all = await applications.list()
  const before = all.find((application) => application.id === id.toLowerCase())
  if (before === undefined) throw unknown(id)
  const after = how(before)
  const notes = recordOfApplication(before, after)
  if (notes.length === 0) return before
  const others = all.filter((application) => application !== before)
  if (after.name !== before.name) refuseSameName(others, after)
  refuseLastAdministrator(others, { before, after }, at)
  await applications.save(after)
  for (const note of notes) await events.append(serverChain, { ...note, actor: by, alarm: false }, at)
  return after
}
