/** As much of OpenAPI 3.1 as is printed here. */
import type { LimitClass } from '../operation.ts'

export type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json }

/** As much of JSON Schema as the contract uses. */
export interface Schema {
  readonly $ref?: string
  readonly type?: string
  readonly description?: string
  readonly enum?: readonly Json[]
  readonly const?: Json
  readonly format?: string
  readonly pattern?: string
  readonly minimum?: number
  readonly minItems?: number
  readonly maxItems?: number
  readonly maxLength?: number
  readonly anyOf?: readonly Schema[]
  readonly items?: Schema
  readonly required?: readonly string[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly patternProperties?: Readonly<Record<string, Schema>>
}

export interface Content {
  readonly [mediaType: string]: { readonly schema: Schema; readonly example?: Json }
}

export interface Parameter {
  readonly name: string
  readonly in: 'path' | 'query' | 'header'
  readonly required: boolean
  readonly description: string
  readonly schema: Schema
  readonly example?: Json
}

export interface Reply {
  readonly description: string
  readonly headers?: Readonly<Record<string, { readonly description: string; readonly schema: Schema }>>
  readonly content?: Content
}

export interface NamedPermission {
  readonly name: string
  readonly displayName: string
}

export interface PrintedOperation {
  readonly operationId: string
  readonly summary: string
  readonly description: string
  readonly tags: readonly string[]
  readonly parameters?: readonly Parameter[]
  readonly requestBody?: { readonly required: boolean; readonly content: Content }
  readonly responses: Readonly<Record<string, Reply | { readonly $ref: string }>>
  readonly security: readonly { readonly oauth2: readonly string[] }[]
  /** Any one of each list is enough; where there are two lists for applications, one of each. */
  readonly 'x-permissions': {
    readonly application: readonly NamedPermission[]
    readonly applicationToo?: readonly NamedPermission[]
    readonly delegated: readonly NamedPermission[]
  }
  readonly 'x-rate-limit': {
    readonly class: LimitClass
    readonly perMinute: number | null
    readonly perHour: number | null
  }
  readonly 'x-compatibility': string
}

export type PathItem = Readonly<Record<string, PrintedOperation>>

export interface OpenApi {
  readonly openapi: '3.1.0'
  readonly info: {
    readonly title: string
    readonly version: string
    readonly summary: string
    readonly description: string
    readonly license: { readonly name: string; readonly identifier: string }
  }
  readonly servers: readonly { readonly url: string }[]
  readonly tags: readonly { readonly name: string; readonly description: string }[]
  readonly paths: Readonly<Record<string, PathItem>>
  readonly components: {
    readonly securitySchemes: Readonly<Record<string, Json>>
    readonly responses: Readonly<Record<string, Reply>>
    readonly schemas: Readonly<Record<string, Schema>>
  }
}
