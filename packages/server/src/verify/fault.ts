/** What can be wrong with what is kept, and what each means to whoever reads it. */
export const meanings = {
  'changed row': 'somebody wrote into the database past the server, after the fact',
  'missing row': 'it was there once, and somebody took it out past the server',
  'added row': 'somebody put it in past the server: nothing that happened accounts for it',
  'truncated tail':
    'the end of this history was cut off, or a backup was put back: if you did that, and started the server with --restored, verify with --restored',
  'rewritten history':
    'this is not the history that was given out, or not by the rules: somebody wrote it anew, digests and all, or it went on from a backup (--restored)',
  'forged statement':
    'the device has not said this: whoever wrote it lacks its key, or uses its words for something else',
} as const
export type FaultKind = keyof typeof meanings

/** The first thing that does not hold. Thrown, because nothing after it in the same chain can be trusted to mean much. */
export class Fault extends Error {
  readonly kind: FaultKind
  /** Table and row. */
  readonly where: string

  constructor(kind: FaultKind, where: string, what: string) {
    super(what)
    this.kind = kind
    this.where = where
  }
}

/** What a check throws, as a value. @throws whatever is no fault */
export async function faultOf(check: () => void | Promise<void>): Promise<Fault | null> {
  try {
    await check()
    return null
  } catch (thrown) {
    if (thrown instanceof Fault) return thrown
    throw thrown
  }
}

/** Text of a row as the structure that it should be. @throws Fault where it is not. */
export function parsed<Value>(
  text: string | null,
  isIt: (value: unknown) => value is Value,
  where: string,
): Value {
  const value = valueOf(text)
  if (isIt(value)) return value
  throw new Fault('changed row', where, 'what should be structured data in it is not, or is not whole')
}

function valueOf(text: string | null): unknown {
  try {
    return JSON.parse(text ?? '')
  } catch {
    return undefined
  }
}

export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)
