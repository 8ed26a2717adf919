import type { Static, TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/schema'

const compiled = new WeakMap<TSchema, Validator>()

/** The first thing wrong with a value, in words with its place (`/Commands/0/type …`); null when it fits its schema. */
export function problemOf(schema: TSchema, value: unknown): string | null {
  let validator = compiled.get(schema)
  if (validator === undefined) {
    validator = Compile(schema)
    compiled.set(schema, validator)
  }
  if (validator.Check(value)) return null
  const [, [first]] = validator.Errors(value)
  return first === undefined ? 'does not fit' : `${first.instancePath || 'the whole'} ${first.message}`
}

/** Does a value from the wire have the shape that it should have? */
export const fits = <Schema extends TSchema>(schema: Schema, value: unknown): value is Static<Schema> =>
  problemOf(schema, value) === null
