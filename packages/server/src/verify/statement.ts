/** One kept statement: is it what was kept, and has the device signed it? */
import { verify } from 'node:crypto'
import { Statement, fits, messageTypes } from '@countermand/contract'
import type { StatementRow } from '../store/schema.ts'
import { digestOf } from '../store/events.ts'
import { Fault } from './fault.ts'
import type { DeviceKey } from './keys.ts'

export interface Signed {
  readonly where: string
  readonly statement: Statement
  /** What the signature is over. */
  readonly text: string
  readonly signature: Buffer
}

export const placeOfStatement = ({ digest, seq }: Pick<StatementRow, 'digest' | 'seq'>): string =>
  `statements: number ${seq}, digest ${digest}`

/** @throws Fault for a text that is not the one that was kept, not a statement, or filed under what it does not say. */
export function readStatement(row: StatementRow): Signed {
  const where = placeOfStatement(row)
  if (digestOf(row.jws) !== row.digest) {
    throw new Fault('changed row', where, 'its text is not the one whose digest it is kept under')
  }
  const [head = '', body = '', mark = ''] = row.jws.split('.')
  const [header, statement] = [decoded(head), decoded(body)]
  const isStatement = fieldOf(header, 'typ') === messageTypes.statement && fieldOf(header, 'alg') === 'EdDSA'
  if (!isStatement || !fits(Statement, statement)) {
    throw new Fault('forged statement', where, 'it is not a statement as devices make them')
  }
  if (statement.machineId !== row.machine_id || statement.seq !== row.seq) {
    const what = `it is filed as number ${row.seq} of device ${row.machine_id}, and says that it is number ${statement.seq} of ${statement.machineId}`
    throw new Fault('changed row', where, what)
  }
  return { where, statement, text: `${head}.${body}`, signature: Buffer.from(mark, 'base64url') }
}

function decoded(part: string): unknown {
  try {
    return JSON.parse(Buffer.from(part, 'base64url').toString())
  } catch {
    return null
  }
}

const fieldOf = (value: unknown, name: string): unknown =>
  typeof value === 'object' && value !== null
    ? Object.entries(value).find(([key]) => key === name)?.[1]
    : null

export const isSignedBy = ({ text, signature }: Signed, { key }: DeviceKey): boolean =>
  key !== null && verify(null, Buffer.from(text), key, signature)
