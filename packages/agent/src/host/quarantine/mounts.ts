// Mounts as the kernel lists them, by their bytes.
import { readFile } from 'node:fs/promises'
import type { Name } from './types.ts'

export interface Mount {
  readonly place: Name
  /** Which part of the file system it shows. */
  readonly root: string
  readonly device: string
  readonly type: string
  readonly isReadOnly: boolean
}

export async function mounts(): Promise<readonly Mount[]> {
  return mountsIn(await readFile('/proc/self/mountinfo', 'latin1'))
}

/** `text` is latin1, so that each of its signs is a byte. */
export const mountsIn = (text: string): readonly Mount[] =>
  text.split('\n').flatMap((line) => {
    const [, device = '', root = '', place = '', options = '', type = ''] =
      /^\S+ \S+ (\S+) (\S+) (\S+) (\S+) .*?- (\S+) /.exec(line) ?? []
    if (place === '') return []
    const isReadOnly = options.split(',').includes('ro')
    return [
      { place: Buffer.from(unescaped(place), 'latin1'), root: unescaped(root), device, type, isReadOnly },
    ]
  })

const unescaped = (text: string): string =>
  text.replaceAll(/\\(\d{3})/g, (_, code: string) => String.fromCharCode(parseInt(code, 8)))

const isWithin = (inner: string, outer: string): boolean =>
  outer === '/' || inner === outer || inner.startsWith(`${outer}/`)

/** Of several mounts that show the same files, one. */
export function eachOnce(all: readonly Mount[]): readonly Mount[] {
  return all.filter(
    (one, at) =>
      !all.some(
        (other, index) =>
          index !== at &&
          other.device === one.device &&
          isWithin(one.root, other.root) &&
          // Of two that show just the same the first is taken.
          (other.root !== one.root || index < at),
      ),
  )
}
