/** Schemas of the contract as a document has them: those that have a name there by reference. */
import type { TSchema } from 'typebox'
import * as contract from '../index.ts'
import { ours, reference } from './fields.ts'
import type { Schema } from './shape.ts'

/** Without what TypeBox keeps beside the JSON. */
// oxlint-disable-next-line typescript/no-unsafe-type-assertion -- a JSON Schema goes in, and the same comes out.
const plain = (schema: TSchema): Schema => JSON.parse(JSON.stringify(schema)) as Schema

/** What the contract exports under a name, by its text. Of two alike the first by name is taken. */
const named = new Map<string, string>()
for (const [name, value] of Object.entries(contract).toSorted(([a], [b]) => (a < b ? -1 : 1))) {
  if (typeof value !== 'object' || !('properties' in value)) continue
  const text = JSON.stringify(value)
  if (!named.has(text)) named.set(text, nameOf(name))
}

/** `Extension` says little beside schemas of others. */
function nameOf(name: string): string {
  return name === 'Extension' ? 'CountermandExtension' : name
}

export interface Schemas {
  /** The schema to write where it is used; what it names is kept. */
  use(schema: TSchema): Schema
  /** Everything that was named, in the order of the alphabet. */
  all(): Record<string, Schema>
}

export function openSchemas(): Schemas {
  const kept = new Map<string, Schema>()
  const walk = (schema: Schema): Schema => {
    const name = named.get(JSON.stringify(schema))
    if (name === undefined) return inside(schema)
    if (!kept.has(name)) {
      kept.set(name, schema)
      kept.set(name, described(name, inside(schema)))
    }
    return { $ref: `#/components/schemas/${name}` }
  }
  const inside = (schema: Schema): Schema => ({
    ...schema,
    ...(schema.anyOf && { anyOf: schema.anyOf.map(walk) }),
    ...(schema.items && { items: walk(schema.items) }),
    ...(schema.properties && { properties: mapped(schema.properties, walk) }),
  })
  return {
    use: (schema) => walk(plain(schema)),
    all: () => Object.fromEntries([...kept].toSorted(([a], [b]) => (a < b ? -1 : 1))),
  }
}

/** What a field means stands in the tables of compatibility, for both prints. */
function described(name: string, schema: Schema): Schema {
  const meanings = { ...reference[name], ...ours[name] }
  if (schema.properties === undefined) return schema
  const properties = Object.entries(schema.properties).map(([field, of]): [string, Schema] => {
    const means = meanings[field]?.means
    return [field, means === undefined ? of : { ...of, description: means }]
  })
  return { ...schema, properties: Object.fromEntries(properties) }
}

const mapped = <Of>(record: Readonly<Record<string, Of>>, by: (value: Of) => Of): Record<string, Of> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, by(value)]))
