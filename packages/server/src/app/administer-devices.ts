/** What is done about a device itself, and not on it: it need not be there, and is not asked. */
import { renamed, type Device } from '../core/device.ts'
import { Refusal } from '../core/errors.ts'
import { endActions } from './actions/end-actions.ts'
import type { App } from './ports.ts'
import type { EventNote, Rooms, Work } from './rows.ts'

interface Asked {
  readonly id: string
  readonly comment: string | null
  readonly by: string
}

interface Renaming {
  readonly id: string
  /** Null for the name that its host says. */
  readonly givenName: string | null
  readonly by: string
}

/** A name that stands instead of the host's own, whatever its agent says afterwards. @throws Refusal InvalidInput */
export const renameDevice = (app: App, asked: Renaming): Promise<Device> => app.store.write('keepName', asked)

/**
 * Out of service: it is asked nothing more, and nothing that it says is taken. What was never offered is cancelled; of the rest
 * nobody will hear, so it times out with an unknown effect. Nothing is stopped on the host: cancel first where it can be reached.
 */
export const retireDevice = (app: App, asked: Asked): Promise<Device> => app.store.write('retire', asked)

/** Nothing that is signed by the present key is taken any more. What it had ends as with `retireDevice`. @throws Refusal BadRequest */
export const revokeDeviceKey = (app: App, asked: Asked): Promise<Device> =>
  app.store.write('revokeKey', asked)

export const keepName: Work<Renaming, Device> = async (rooms, { id, givenName, by }, { at }) => {
  const before = await found(rooms, id)
  if (givenName === before.givenName) return before
  const after = renamed(before, givenName)
  await rooms.devices.save(after, before)
  const data = { displayName: givenName, before: before.name }
  await rooms.events.append(before.id, noteOf('renamed', by, data), at)
  return after
}

export const retire: Work<Asked, Device> = async (rooms, { id, comment, by }, { at }) => {
  const before = await found(rooms, id)
  if (before.retiredAt !== null) return before
  const after = { ...before, retiredAt: at }
  await rooms.devices.save(after, before)
  const tokens = await rooms.enrolments.revokeFor(before.id, at)
  await rooms.events.append(before.id, noteOf('retired', by, { comment, tokens }), at)
  await endActions(rooms, before.id, 'device_removed', at)
  return after
}

export const revokeKey: Work<Asked, Device> = async (rooms, { id, comment, by }, { at }) => {
  const before = await found(rooms, id)
  if (before.keyThumbprint === null)
    throw new Refusal(
      'BadRequest',
      'The device has not enrolled yet: it has no key. Revoke its token instead.',
    )
  if (before.keyRevokedAt !== null) return before
  const after = { ...before, keyRevokedAt: at }
  await rooms.devices.save(after, before)
  const tokens = await rooms.enrolments.revokeFor(before.id, at)
  const data = { key: before.keyThumbprint, comment, tokens }
  await rooms.events.append(before.id, noteOf('key_revoked', by, data), at)
  await endActions(rooms, before.id, 'key_revoked', at)
  return after
}

async function found({ devices }: Rooms, id: string): Promise<Device> {
  const device = await devices.find(id)
  if (device === null) throw new Refusal('ResourceNotFound', `Machine ${id} was not found`)
  return device
}

const noteOf = (kind: string, by: string, data: EventNote['data']): EventNote => ({
  kind: `device.${kind}`,
  actor: by,
  alarm: false,
  data,
})
