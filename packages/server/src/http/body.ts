/** Bytes → the body that a row describes. Lenient about content types, strict about names. */
import { TooDeep, parseJson, problemOf } from '@countermand/contract'
import type { TSchema } from 'typebox'
import { Refusal } from '../core/errors.ts'

interface Shape {
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  readonly items?: Shape
}

/**
 * @throws Refusal InvalidRequestBody for what is not JSON, a name in the wrong case, or a wrong shape;
 * MissingRequiredParameter for a name that is not there.
 */
export function readBody(schema: TSchema, bytes: Buffer): unknown {
  const value = parse(bytes.toString('utf8'))
  if (value === null || typeof value !== 'object' || Array.isArray(value))
    throw invalid('it must be a JSON object')
  refuseMisspelt(schema, value, '')
  const problem = problemOf(schema, value)
  if (problem !== null) throw invalid(problem)
  return value
}

const invalid = (why: string): Refusal =>
  new Refusal('InvalidRequestBody', `The request body is incorrect: ${why}.`)

function parse(text: string): unknown {
  // A byte order mark is a blank, too.
  const bare = text.trim()
  if (bare === '') return {}
  try {
    return parseJson(bare)
  } catch (thrown) {
    throw invalid(thrown instanceof TooDeep ? thrown.message : 'it is not JSON')
  }
}

/** A name that is right but for its case would be ignored in silence, and the comment of an incident lost. */
function refuseMisspelt(schema: Shape, value: unknown, place: string): void {
  if (Array.isArray(value)) {
    if (schema.items !== undefined)
      for (const [at, item] of value.entries()) refuseMisspelt(schema.items, item, `${place}[${at}]`)
    return
  }
  if (value === null || typeof value !== 'object' || schema.properties === undefined) return
  const known = Object.keys(schema.properties)
  for (const name of Object.keys(value)) {
    if (Object.hasOwn(schema.properties, name)) continue
    const right = known.find((other) => other.toLowerCase() === name.toLowerCase())
    if (right !== undefined) throw invalid(`"${place}${name}" must be spelt "${place}${right}"`)
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) {
      throw new Refusal('MissingRequiredParameter', `The required parameter ${place}${name} is missing.`)
    }
  }
  for (const [name, inner] of Object.entries(value)) {
    const shape = Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
    if (shape !== undefined) refuseMisspelt(shape, inner, `${place}${name}${Array.isArray(inner) ? '' : '.'}`)
  }
}
