/** One thing that an investigation package looks at. Of its ways the first is gone whose program this host has. */
export interface Item {
  /** Lower case, digits and dashes: the name of its file is made of it. */
  readonly name: string
  readonly title: string
  readonly ways: readonly Way[]
}

export interface Way {
  /** The program without which it cannot be done; without one it can be done everywhere. */
  readonly needs?: string
  /** Shell text of one line, without tabs. It may use the words of `words.ts`. */
  readonly command: string
}
