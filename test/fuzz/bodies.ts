/** Bodies after the schema of their operation: right, nearly right, and no JSON at all. */
import { numbers, oneOf, type Dice } from '../../packages/server/src/testing/dice.ts'
import { maybe, word, type Pool } from './words.ts'

/** As much of a schema as the contract uses. */
export interface Shape {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly anyOf?: readonly Shape[]
  readonly properties?: Readonly<Record<string, Shape>>
  readonly required?: readonly string[]
  readonly items?: Shape
}

/** One part in so many is not what its schema says. */
const strange = 12

export function valueOf(roll: Dice, shape: Shape, pool: Pool): unknown {
  if (maybe(roll, strange)) return anything(roll)
  if (shape.const !== undefined) return shape.const
  if (shape.enum !== undefined) return shape.enum[roll(shape.enum.length)]
  if (shape.anyOf !== undefined) return valueOf(roll, shape.anyOf[roll(shape.anyOf.length)] ?? {}, pool)
  if (shape.type === 'object') return objectOf(roll, shape, pool)
  if (shape.type === 'array') {
    const length = maybe(roll, 50) ? 600 : 1 + roll(3)
    return numbers(length).map(() => valueOf(roll, shape.items ?? {}, pool))
  }
  return shape.type === 'integer' ? roll(1_000) - 10 : text(roll, pool)
}

function text(roll: Dice, pool: Pool): string {
  const known = ['ScriptName', 'Args', 'FileName', 'Path', 'run.sh', '/etc/hostname', 'a tag'] as const
  switch (roll(4)) {
    case 0:
      return word(roll)
    case 1:
      return oneOf(roll, pool.machines)
    case 2:
      return '0123456789abcdef0123456789abcdef01234567'
    default:
      return oneOf(roll, known)
  }
}

function objectOf(roll: Dice, { properties = {}, required = [] }: Shape, pool: Pool): object {
  const names = Object.keys(properties).filter((name) => required.includes(name) || maybe(roll, 2))
  const pairs = names.flatMap((name): (readonly [string, unknown])[] => {
    if (maybe(roll, strange * 2)) return []
    const spelt = maybe(roll, strange * 2) ? name.toLowerCase() : name
    return [[spelt, valueOf(roll, properties[name] ?? {}, pool)]]
  })
  if (maybe(roll, strange)) pairs.push([word(roll), anything(roll)])
  return Object.fromEntries(pairs)
}

const anything = (roll: Dice): unknown =>
  oneOf(roll, [
    null,
    true,
    -0,
    1e308,
    2 ** 53,
    word(roll),
    [],
    [[[[]]]],
    {},
    { error: word(roll) },
    [null, 1, word(roll)],
  ] as const)

/** As it is sent. */
export function bytesOf(roll: Dice, value: unknown): Buffer {
  const json = JSON.stringify(value) ?? ''
  switch (roll(24)) {
    case 0:
      return Buffer.from(json.slice(0, roll(json.length + 1)))
    case 1:
      return Buffer.from(`\uFEFF ${json} \n`)
    case 2:
      return Buffer.from('['.repeat(50_000))
    case 3:
      return Buffer.from(json.replaceAll('"', "'"))
    case 4:
      return Buffer.from(`{"__proto__":${json},"constructor":1}`)
    case 5:
      return Buffer.from(numbers(roll(64)).map(() => roll(256)))
    case 6:
      return Buffer.from(json, 'utf16le')
    case 7:
      return Buffer.alloc(0)
    default:
      return Buffer.from(json)
  }
}
