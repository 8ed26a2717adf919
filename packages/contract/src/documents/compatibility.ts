/** `docs/compatibility.md`, from the rows and the tables beside this file. */
import type { TSchema } from 'typebox'
import * as contract from '../index.ts'
import type { Operation, Operations } from '../operation.ts'
import { ours, reference, type Field } from './fields.ts'
import { referenceOperations, type ReferenceOperation } from './reference-operations.ts'

export type Stand = 'same' | 'stricter' | 'extended' | 'absent'

interface Line {
  readonly method: string
  readonly path: string
  readonly stand: Stand
  readonly note: string
}

/** Names of placeholders, case and what a function is given make no other path. */
const shapeOf = (path: string): string =>
  path
    .toLowerCase()
    .replaceAll(/\(.*\)/g, '()')
    .replaceAll(/\{[^}]*\}|:\w+/g, '{}')

const isSame = (a: { method: string; path: string }, b: { method: string; path: string }): boolean =>
  a.method === b.method && shapeOf(a.path) === shapeOf(b.path)

/** How a row stands to the reference. */
export function standOf(row: Operation): { stand: Stand; note: string } {
  const theirs = referenceOperations.find((each) => isSame(each, row))
  if (theirs === undefined) return { stand: 'extended', note: 'ours' }
  const missing = missingOptions(row, theirs)
  const note = [theirs.note, missing.length > 0 && `not taken, and refused: ${code(missing)}`]
  const stand = missing.length > 0 ? 'stricter' : (theirs.stand ?? 'same')
  return { stand, note: note.filter(Boolean).join('; ') }
}

const missingOptions = (row: Operation, { query = [] }: ReferenceOperation): string[] =>
  query.filter((option) => row.query?.includes(option) !== true)

const code = (words: readonly string[]): string => words.map((word) => `\`${word}\``).join(', ')

/** Those of the reference in its order, then ours. */
export function compareOperations(operations: Operations): Line[] {
  const rows = Object.values(operations)
  const theirs = referenceOperations.map((each): Line => {
    const row = rows.find((ofOurs) => isSame(each, ofOurs))
    const { stand, note } =
      row === undefined ? { stand: 'absent' as const, note: each.note ?? '' } : standOf(row)
    return { method: each.method, path: each.path, stand, note }
  })
  const added = rows.filter((row) => !referenceOperations.some((each) => isSame(each, row)))
  return [...theirs, ...added.map((row) => ({ ...row, path: bracedPath(row.path), ...standOf(row) }))]
}

/** `/a/:id` as OpenAPI writes it: `/a/{id}`. */
export const bracedPath = (path: string): string => path.replaceAll(/:(\w+)/g, '{$1}')

interface FieldLine {
  readonly field: string
  readonly stand: Stand
  readonly means: string
}

const fieldLine = (field: string, stand: Stand, { means, note }: Field): FieldLine => ({
  field,
  stand,
  means: note === undefined ? means : `${means}; ${note}`,
})

/** In the order of the reference; what we have beside it comes last. */
export function compareFields(name: string): FieldLine[] {
  const schema = schemaNamed(name)
  const theirs = reference[name] ?? {}
  const present = Object.keys(schema.properties ?? {})
  const known = Object.entries(theirs).map(([field, of]) =>
    fieldLine(field, present.includes(field) ? (of.stand ?? 'same') : 'absent', of),
  )
  const added = present.filter((field) => theirs[field] === undefined)
  return [
    ...known,
    ...added.map((field) => fieldLine(field, 'extended', ours[name]?.[field] ?? { means: 'ours' })),
  ]
}

function schemaNamed(name: string): { readonly properties?: Readonly<Record<string, TSchema>> } {
  const found = Object.entries(contract).find(([key]) => key === name)?.[1]
  return typeof found === 'object' && 'properties' in found ? found : {}
}

const table = (head: readonly string[], rows: readonly (readonly string[])[]): string =>
  [head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')

export function printCompatibility(operations: Operations): string {
  const lines = compareOperations(operations)
  const count = (stand: Stand): number => lines.filter((line) => line.stand === stand).length
  const operationTable = table(
    ['Method', 'Path', 'Here', 'Note'],
    lines.map(({ method, path, stand, note }) => [method, `\`${path}\``, stand, note]),
  )
  const fieldTables = Object.keys(reference).map((name) => {
    const rows = compareFields(name).map(({ field, stand, means }) => [`\`${field}\``, stand, means])
    return `### ${name}\n\n${table(['Field', 'Here', 'Means'], rows)}`
  })
  return `${intro}
## Operations

${count('same')} same, ${count('stricter')} stricter, ${count('extended')} extended, ${count('absent')} absent.

${operationTable}

## Fields

${fieldTables.join('\n\n')}

${stands}`
}

const intro = `<!-- Printed from the contract by \`npm run print\`. Do not edit it by hand. -->

# Compatibility

The reference is the machine-action family of Microsoft Defender for Endpoint's API, as documented and as seen on the wire.

| | |
| --- | --- |
| same | a client of the reference sees no difference |
| stricter | something that the reference takes is refused here; nothing is passed over in silence |
| extended | ours, or more than the reference has; its clients need not know |
| absent | not there: 404 \`NotFound\` |

\`/api/v1.0/…\` is the same as \`/api/…\`. Paths match in any case, names in a JSON body do not.
`

const stands = `## Where the reference leaves room

| Matter | Here |
| --- | --- |
| Order of the checks | token, permission, limit, existence, body |
| Ill-formed id | 404 \`ResourceNotFound\`, like an unknown one |
| Wrong method, unknown path | 404 \`NotFound\`, never 405 |
| Status of a created action | 201 |
| A field whose name differs only in case | 400 \`InvalidRequestBody\`, with the right spelling; other unknown fields are ignored |
| Second action of a kind on one machine | 400 \`ActiveRequestAlreadyExists\`; an action whose cancel is outstanding blocks nobody |
| Cancel of a finished action | 400 \`BadRequest\`; only the same request again that led to \`Cancelled\` is 200 |
| Permission to cancel | any one of the seven, whatever the action |
| \`TimeOut\` | 3 days unclaimed, or over the limit of its kind: 10 minutes for a script |
| Limits | a sliding window per application; \`Retry-After\` in whole seconds, rounded up |
| \`$count\`, next page | what is not taken is refused with 400 \`ODataError\` |
| Empty list of machines | 200 with \`[]\` |
| Every error | \`{"error":{"code","message","target"}}\`, compact JSON |
`
