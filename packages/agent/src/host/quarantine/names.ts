// Paths as bytes: Node splits and joins text alone.
import type { Name } from './types.ts'

const slash = Buffer.from('/')

/** The folder of an absolute path. */
export function folderOf(path: Name): Buffer {
  const end = Buffer.from(path).lastIndexOf(slash)
  return Buffer.from(path.subarray(0, Math.max(1, end)))
}

export const joined = (folder: Name, name: Name): Buffer =>
  // Of the root the slash is there already.
  Buffer.concat(slash.equals(folder) ? [slash, name] : [folder, slash, name])

export const isBelow = (path: Name, folder: Name): boolean =>
  Buffer.from(path).equals(folder) ||
  Buffer.from(path.subarray(0, folder.length + 1)).equals(Buffer.concat([folder, slash]))

/** For people, on one line: what is no text is shown as U+FFFD, and what would break the line by its number. */
export const shown = (path: Name): string =>
  Buffer.from(path)
    .toString('utf8')
    .replaceAll(/[\p{Cc}\u2028\u2029]/gu, (sign) => `\\u{${sign.codePointAt(0)?.toString(16) ?? ''}}`)
    .slice(0, 4096)
