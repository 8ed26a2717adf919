/** The table of `docs/steps.md`, as it stands there. */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { hasItsTurn } from '../turns.ts'

export interface Row {
  /** Its place in its table, from 1. */
  readonly number: number
  readonly action: string
  readonly at: string
  /** What comes between. */
  readonly comes: string
  readonly status: string
  readonly proof: string | null
  /** The states of its commands. */
  readonly commands: readonly string[]
  readonly left: string
}

const words: Readonly<Record<string, string>> = { C: 'Completed', F: 'Failed', '–': 'Created' }

/** Of which every so manyth is played. */
const shares = { 'what runs': 10, 'what stands': 10 } as const

export const rowsToPlay = (of: keyof typeof shares): readonly Row[] =>
  readTable(of).filter(({ number }) => hasItsTurn(number, shares[of]))

/** Of what runs and ends, or of what stands. @throws Error for a line that is no row of seven columns */
function readTable(of: 'what runs' | 'what stands'): readonly Row[] {
  const document = readFileSync(join(import.meta.dirname, '../../docs/steps.md'), 'utf8')
  const [running = '', standing = ''] = document.split('## What stands')
  const text = of === 'what runs' ? running : standing
  const lines = text.split('\n').filter((line) => line.startsWith('|'))
  return lines.slice(2).map((line, index) => {
    const cells = line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim())
    if (cells.length !== 7) throw new Error(`not a row: ${line}`)
    const [action = '', at = '', comes = '', status = '', proof = '', commands = '', left = ''] = cells
    const states = commands.split(' ').filter((letter) => letter !== '')
    return {
      number: index + 1,
      action,
      at,
      comes,
      status,
      proof: proof === '' ? null : proof,
      commands: states.map((letter) => words[letter] ?? letter),
      left,
    }
  })
}
