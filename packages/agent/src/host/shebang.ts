// Reads a script's first line as the kernel does, ahead of time, so that what would fail oddly is refused in plain words.

/** The kernel reads this many bytes of a file to see what it is; the end of the line must be among them. */
const longestLine = 255

/** The interpreter that a script names, and the one argument that it may give it. */
export interface Shebang {
  /** A path; a relative one counts from the working directory. */
  readonly interpreter: string
  /** The whole rest of the line, blanks in it included. */
  readonly argument: string | null
}

/** The script cannot be run as it is; the message says why, to be shown to whoever sent it. */
export class UnrunnableScript extends Error {
  override readonly name = 'UnrunnableScript'
}

/**
 * The interpreter that the content asks for, or null if it asks for none and /bin/sh is to run it. The content's beginning is
 * enough: 256 bytes, or all of it. Throws `UnrunnableScript` for what is no script, and for a first line that the kernel or the
 * interpreter would trip over.
 */
export function readShebang(content: Uint8Array): Shebang | null {
  const end = content.indexOf(0x0a)
  const bytes = content.subarray(0, end < 0 ? content.length : end)
  refuseBinary(content, bytes)
  if (bytes.at(-1) === 0x0d) {
    throw new UnrunnableScript(
      "The script's first line ends in a carriage return (Windows line ending): convert it to Unix line endings.",
    )
  }
  if (bytes[0] !== 0x23 || bytes[1] !== 0x21) return null
  if (bytes.length > longestLine)
    throw new UnrunnableScript(`The script's first line is longer than ${longestLine} bytes.`)
  if (end < 0)
    throw new UnrunnableScript("The script's first line has no end: there is nothing after it to run.")

  const line = decode(bytes.subarray(2)).replace(/^[ \t]+|[ \t]+$/g, '')
  const [, interpreter, argument] = /^([^ \t]+)[ \t]*(.*)$/s.exec(line) ?? []
  if (!interpreter)
    throw new UnrunnableScript("The script's first line begins with #! and names no interpreter.")
  return { interpreter, argument: argument || null }
}

function refuseBinary(content: Uint8Array, firstLine: Uint8Array): void {
  if (startsWith(content, [0x7f, 0x45, 0x4c, 0x46])) {
    throw new UnrunnableScript('This is a program (ELF), not a script.')
  }
  if (startsWith(content, [0xef, 0xbb, 0xbf])) {
    throw new UnrunnableScript(
      'The script begins with a byte order mark, which no interpreter expects: save it as UTF-8 without one.',
    )
  }
  if (firstLine.includes(0)) {
    throw new UnrunnableScript(
      'This is not a script: there are NUL bytes in its first line (UTF-16, or not text at all).',
    )
  }
}

function startsWith(content: Uint8Array, bytes: readonly number[]): boolean {
  return bytes.every((byte, index) => content[index] === byte)
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes)
  } catch {
    throw new UnrunnableScript("The script's first line is not UTF-8.")
  }
}
