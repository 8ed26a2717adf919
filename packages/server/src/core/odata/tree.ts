/** What a `$filter` says, as data: first as it was written (`Tree`), then with its fields known (`Condition`). */
import { Refusal } from '../errors.ts'

/** `at` is the position in the option's text, in characters from 1. */
export type Literal =
  | { readonly kind: 'text' | 'guid'; readonly value: string; readonly at: number }
  | { readonly kind: 'number'; readonly value: number; readonly at: number }
  /** In milliseconds since 1970; half of one stands for any part of one. */
  | { readonly kind: 'time'; readonly value: number; readonly at: number }
  | { readonly kind: 'truth'; readonly value: boolean; readonly at: number }
  | { readonly kind: 'null'; readonly value: null; readonly at: number }

export interface Name {
  readonly kind: 'name'
  readonly value: string
  readonly at: number
}

export type Operand = Literal | Name

export const operators = ['eq', 'ne', 'gt', 'ge', 'lt', 'le'] as const
export type Operator = (typeof operators)[number]

export const matches = ['startswith', 'endswith', 'contains'] as const
export type Match = (typeof matches)[number]

export type Tree =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Tree[] }
  | { readonly kind: 'not'; readonly part: Tree }
  | {
      readonly kind: 'compare'
      readonly operator: Operator
      readonly left: Operand
      readonly right: Operand
      readonly at: number
    }
  | { readonly kind: 'in'; readonly name: Name; readonly list: readonly Literal[] }
  | { readonly kind: 'match'; readonly how: Match; readonly name: Name; readonly text: Literal }
  /** `where` is null for `any()`: is there anything in the list? */
  | { readonly kind: 'any'; readonly name: Name; readonly variable: string; readonly where: Tree | null }

/**
 * `word` is text that is compared without regard to the case of A–Z: ids, names of hosts, values out of a list. `time` is a
 * number of milliseconds. `texts` is a list, which only `any` looks into.
 */
export type FieldType = 'text' | 'word' | 'number' | 'time' | 'texts'

/** What may be asked about, by its name in the answer. */
export type Fields = Readonly<Record<string, FieldType>>

export type Value = string | number | null

/** Of a leaf: which field, null for the element of the list that `any` looks into. A `word`'s value is in lower case. */
interface Leaf {
  readonly field: string | null
  readonly type: FieldType
}

/** Two-valued: what is asked of null is false, but `eq null`, and `ne` of something else. */
export type Condition =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Condition[] }
  | { readonly kind: 'not'; readonly part: Condition }
  | (Leaf & { readonly kind: 'compare'; readonly operator: Operator; readonly value: Value })
  | (Leaf & { readonly kind: 'in'; readonly values: readonly Value[] })
  | (Leaf & { readonly kind: 'match'; readonly how: Match; readonly value: string })
  | { readonly kind: 'any'; readonly field: string; readonly where: Condition | null }

/** One key of an order. Nulls come first where it ascends, and last where it descends. */
export interface OrderKey {
  readonly field: string
  readonly type: FieldType
  readonly descends: boolean
}

/** Only A–Z, so that it is the same in every database. */
export const inLowerCase = (text: string): string =>
  text.replaceAll(/[A-Z]/g, (letter) => letter.toLowerCase())

/** What is wrong with an option's text, and where: `at` in characters from 1. */
export const wrong = (what: string, at: number): Refusal =>
  new Refusal('ODataError', `${what} (at position ${at})`)

/** As much of what was written as belongs into a message. */
export const brief = (text: string): string => (text.length > 40 ? `${text.slice(0, 40)}…` : text)
