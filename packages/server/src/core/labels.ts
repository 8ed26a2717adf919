/** What people put on a device: tags and a value. The device itself knows nothing of it. */
import type { Device } from './device.ts'
import { Refusal } from './errors.ts'

export type DeviceValue = Device['deviceValue']

export type Label =
  | { readonly kind: 'add' | 'remove'; readonly tag: string }
  /** Whatever is left out stays; a list of tags takes the place of the former one (`wire.md` 12.1). */
  | { readonly kind: 'set'; readonly tags?: readonly string[]; readonly deviceValue?: DeviceValue }

/** In characters. */
const longestTag = 200
const mostTags = 200

/** @throws Refusal InvalidInput for a tag that is none, or too many of them. */
export function labelled(device: Device, label: Label): Device {
  switch (label.kind) {
    case 'add':
      return device.tags.includes(label.tag)
        ? device
        : { ...device, tags: checked([...device.tags, label.tag]) }
    case 'remove':
      return { ...device, tags: device.tags.filter((tag) => tag !== label.tag) }
    case 'set': {
      const { tags = device.tags, deviceValue = device.deviceValue } = label
      return { ...device, tags: checked([...new Set(tags)]), deviceValue }
    }
  }
}

function checked(tags: readonly string[]): readonly string[] {
  if (tags.length > mostTags)
    throw new Refusal('InvalidInput', `A machine has ${mostTags} tags at most; this would be ${tags.length}.`)
  for (const tag of tags) {
    if (tag.trim() === '' || tag.length > longestTag)
      throw new Refusal('InvalidInput', `A tag must have 1 to ${longestTag} characters, and not only blanks.`)
  }
  return tags
}

/** What is written down of a change; nothing where there was none. */
export function recordOfLabels(
  before: Device,
  after: Device,
): readonly { readonly kind: string; readonly data: Readonly<Record<string, unknown>> }[] {
  const added = after.tags.filter((tag) => !before.tags.includes(tag))
  const removed = before.tags.filter((tag) => !after.tags.includes(tag))
  const [value, former] = [after.deviceValue, before.deviceValue]
  return [
    ...(added.length + removed.length === 0 ? [] : [{ kind: 'device.tagged', data: { added, removed } }]),
    ...(value === former ? [] : [{ kind: 'device.valued', data: { value, before: former } }]),
  ]
}
