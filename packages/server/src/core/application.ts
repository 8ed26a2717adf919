/** Who may ask for tokens: what an application is, how it changes, and what must not become of the last administrator. */
import { applicationPermissions, mostSecrets, type Permission } from '@countermand/contract'
import { Refusal } from './errors.ts'

export interface Application {
  /** The client id, a GUID in small letters. */
  readonly id: string
  readonly objectId: string
  /** Written on actions as the requestor. */
  readonly name: string
  readonly isEnabled: boolean
  readonly permissions: readonly string[]
  readonly secrets: readonly Secret[]
  /** Null for one that was made before this was written down. */
  readonly createdAt: Date | null
}

export interface Secret {
  readonly keyId: string
  readonly name: string | null
  /** SHA-256, base64url: a secret is 256 random bits, so there is nothing to guess. */
  readonly digest: string
  /** The first three characters of the secret; null where nobody wrote them down. */
  readonly hint: string | null
  readonly startsAt: Date | null
  /** From then on no token is given for it; null for never. */
  readonly endsAt: Date | null
}

const hintLength = 3

/** A secret as it is kept. `digest` is that of `text`. */
export const newSecret = (
  text: string,
  secret: Pick<Secret, 'keyId' | 'name' | 'digest' | 'endsAt'>,
  at: Date,
): Secret => ({ ...secret, hint: text.slice(0, hintLength), startsAt: at })

const isLive = ({ endsAt }: Secret, at: Date): boolean => endsAt === null || at < endsAt

/** What a secret that is shown is worth; `digest` is that of what was shown. */
export function judgeSecret(
  { secrets }: Application,
  digest: string,
  at: Date,
): 'right' | 'expired' | 'wrong' {
  const shown = secrets.filter((secret) => secret.digest === digest)
  if (shown.some((secret) => isLive(secret, at))) return 'right'
  return shown.length > 0 ? 'expired' : 'wrong'
}

/** Whatever is left out stays. */
export interface Change {
  readonly name?: string
  readonly isEnabled?: boolean
  /** Takes the place of the former ones. */
  readonly permissions?: readonly Permission[]
}

/** In characters, as in Entra. */
const longestName = 120

/** @throws Refusal InvalidInput for a name that is none */
export function changed(application: Application, change: Change): Application {
  const { isEnabled = application.isEnabled } = change
  const name = change.name === undefined ? application.name : checkedName(change.name)
  const permissions = change.permissions === undefined ? application.permissions : ordered(change.permissions)
  return { ...application, name, isEnabled, permissions }
}

export function checkedName(name: string): string {
  const bare = name.trim()
  if (bare === '' || bare.length > longestName || /\p{Cc}/u.test(bare) || !bare.isWellFormed()) {
    throw new Refusal(
      'InvalidInput',
      `A displayName must have 1 to ${longestName} characters, and no others than such as show.`,
    )
  }
  return bare
}

/** Each once, in the contract's order, so that two lists of the same are equal. */
export const ordered = (names: readonly Permission[]): readonly Permission[] =>
  applicationPermissions.filter((name) => names.includes(name))

/** Actions are told apart by their requestor's name. @throws Refusal Conflict */
export function refuseSameName(others: readonly Application[], { id, name }: Application): void {
  const same = others.find((other) => other.id !== id && other.name.toLowerCase() === name.toLowerCase())
  if (same !== undefined)
    throw new Refusal('Conflict', `The application ${same.id} is called ${same.name} already.`)
}

/** @throws Refusal BadRequest where it has as many secrets as may be */
export function withSecret(application: Application, secret: Secret): Application {
  if (application.secrets.length >= mostSecrets) {
    throw new Refusal('BadRequest', `An application has at most ${mostSecrets} secrets. Remove one first.`)
  }
  return { ...application, secrets: [...application.secrets, secret] }
}

/** @throws Refusal ResourceNotFound */
export function withoutSecret(application: Application, keyId: string): Application {
  const secrets = application.secrets.filter((secret) => secret.keyId !== keyId)
  if (secrets.length === application.secrets.length)
    throw new Refusal('ResourceNotFound', `Secret ${keyId} was not found`)
  return { ...application, secrets }
}

const canAdminister = ({ isEnabled, permissions, secrets }: Application, at: Date): boolean =>
  isEnabled && permissions.includes('Countermand.Administer') && secrets.some((secret) => isLive(secret, at))

/**
 * Somebody must be able to take back what is done here. `others`: all but this one.
 * @throws Refusal DisallowedOperation where the last application that could administer no longer could
 */
export function refuseLastAdministrator(
  others: readonly Application[],
  { before, after }: { readonly before: Application; readonly after: Application },
  at: Date,
): void {
  if (!canAdminister(before, at) || canAdminister(after, at)) return
  if (others.some((other) => canAdminister(other, at))) return
  throw new Refusal(
    'DisallowedOperation',
    'This is the last application that can administer: enabled, with Countermand.Administer and a secret. Make another one first.',
  )
}

export interface Recorded {
  readonly kind: string
  readonly data: Readonly<Record<string, unknown>>
}

const has = (list: readonly Secret[], { keyId }: Secret): boolean =>
  list.some((other) => other.keyId === keyId)

/** What is written down of a change, never a secret; nothing where there was none. */
export function recordOfApplication(before: Application, after: Application): readonly Recorded[] {
  const { id: clientId } = after
  const note = (kind: string, data: object = {}): Recorded => ({
    kind: `application.${kind}`,
    data: { clientId, ...data },
  })
  const added = after.permissions.filter((name) => !before.permissions.includes(name))
  const removed = before.permissions.filter((name) => !after.permissions.includes(name))
  return [
    ...(after.name === before.name
      ? []
      : [note('renamed', { displayName: after.name, before: before.name })]),
    ...(added.length + removed.length === 0 ? [] : [note('permissions_changed', { added, removed })]),
    ...(after.isEnabled === before.isEnabled ? [] : [note(after.isEnabled ? 'enabled' : 'disabled')]),
    ...after.secrets
      .filter((secret) => !has(before.secrets, secret))
      .map((secret) => note('secret_added', told(secret))),
    ...before.secrets
      .filter((secret) => !has(after.secrets, secret))
      .map((secret) => note('secret_removed', told(secret))),
  ]
}

export const recordOfNew = ({
  id: clientId,
  name: displayName,
  permissions,
  secrets,
}: Application): Recorded => ({
  kind: 'application.created',
  data: { clientId, displayName, permissions, secrets: secrets.map(told) },
})

const told = ({ keyId, name, endsAt }: Secret) => ({
  keyId,
  displayName: name,
  endsAt: endsAt?.getTime() ?? null,
})
