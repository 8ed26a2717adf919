export interface CollectProgress {
  /** How much of the package is done, from 0 to 1. */
  readonly share: number
  /** The item that it is busy with. */
  readonly line: string
}

/** Where the script is, by the end of its output; null before its first item. */
export function progressOf(output: string): CollectProgress | null {
  // Of a line that is being written not even the number can be trusted.
  const lines = output.split('\n').slice(0, -1)
  const [line = '', number, total] =
    lines.map((each) => /^(\d+)\/(\d+) \S+$/.exec(each)).findLast((found) => found !== null) ?? []
  return line === '' ? null : { share: (Number(number) - 1) / Number(total), line }
}
