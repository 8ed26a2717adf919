/** The rows of the contract as an OpenAPI 3.1 document. */
import { defaultBodyLimit, limits, type Operation, type Operations } from '../operation.ts'
import { applicationPermissions, type Permission } from '../permissions.ts'
import { bracedPath, standOf } from './compatibility.ts'
import { ErrorBody, errorReplies, statusesOf } from './errors.ts'
import { exampleOf } from './examples.ts'
import { bodyOf, parametersOf } from './inputs.ts'
import { permissionNames } from './permission-names.ts'
import { openSchemas, type Schemas } from './schemas.ts'
import type { NamedPermission, OpenApi, PathItem, PrintedOperation, Schema } from './shape.ts'
import { aboutApi, tagOf, tags } from './words.ts'

/** The one that the reference's clients may write into a path: `/api/v1.0/…`. */
const apiVersion = '1.0'

export interface OpenApiOptions {
  readonly operations: Operations
  /** Codes of refusals, each with its HTTP status. */
  readonly errors: Readonly<Record<string, number>>
  /** `https://host`, without a slash at the end. */
  readonly server: string
  readonly tenantId: string
}

/** Some need a second permission besides, which is asked for by itself. */
type Row = Operation & { readonly permissionToo?: { readonly app: readonly Permission[] } }

/** @returns the document for one server; nothing in it changes from one call to the next. */
export function printOpenApi({ operations, errors, server, tenantId }: OpenApiOptions): OpenApi {
  const schemas = openSchemas()
  const paths: Record<string, PathItem> = {}
  for (const [name, row] of Object.entries(operations)) {
    const path = bracedPath(row.path)
    paths[path] = { ...paths[path], [row.method.toLowerCase()]: printOperation(name, row, schemas) }
  }
  const error = schemas.use(ErrorBody)
  const used = new Set(Object.values(operations).map((row) => tagOf(row)))
  return withExamples({
    openapi: '3.1.0',
    info: {
      title: 'Countermand',
      version: apiVersion,
      summary:
        'The machine-action API of Microsoft Defender for Endpoint, with a cancel that says what it has done.',
      description: aboutApi,
      license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: server }],
    tags: tags.filter((tag) => used.has(tag.name)),
    paths,
    components: {
      securitySchemes: {
        oauth2: {
          type: 'oauth2',
          description: 'Scope: the base URL of this server or one of the reference, with `/.default`.',
          flows: {
            clientCredentials: {
              tokenUrl: `${server}/${tenantId}/oauth2/v2.0/token`,
              scopes: Object.fromEntries(applicationPermissions.map((each) => [each, permissionNames[each]])),
            },
          },
        },
      },
      responses: errorReplies(errors),
      schemas: { ...schemas.all(), Error: error },
    },
  })
}

function printOperation(name: string, row: Row, schemas: Schemas): PrintedOperation {
  const body = bodyOf(row, schemas)
  const parameters = parametersOf(row)
  const { stand, note } = standOf(row)
  const summary = row.summary ?? inWords(name)
  const replies = statusesOf({
    target: row.target,
    takesBody: body !== undefined,
    mayConflict: row.mayConflict === true,
  })
  return {
    operationId: name,
    summary,
    description: describe(
      row,
      summary,
      stand === 'same' && note === '' ? '' : `${stand}${note && `: ${note}`}`,
    ),
    tags: [tagOf(row)],
    ...(parameters.length > 0 && { parameters }),
    ...(body && { requestBody: body }),
    responses: {
      [row.status]: {
        description:
          row.status === 204 ? 'Done; there is no body.' : row.status === 201 ? 'Created.' : 'Done.',
        ...(row.status !== 204 && {
          content: { [row.media ?? 'application/json']: { schema: schemas.use(row.reply) } },
        }),
      },
      ...Object.fromEntries(
        replies.map((status) => [status, { $ref: `#/components/responses/Error${status}` }]),
      ),
    },
    security: securityOf(row),
    'x-permissions': {
      application: row.permission.app.map(withName),
      ...(row.permissionToo && { applicationToo: row.permissionToo.app.map(withName) }),
      delegated: row.permission.delegated.map(withName),
    },
    'x-rate-limit': { class: row.limit, ...limits[row.limit] },
    'x-compatibility': stand,
  }
}

const withName = (name: Permission): NamedPermission => ({ name, displayName: permissionNames[name] })

/** Each entry by itself is enough. Where two permissions are asked for, every pair is an entry. */
function securityOf(row: Row): { oauth2: string[] }[] {
  if (row.permissionToo === undefined) return row.permission.app.map((name) => ({ oauth2: [name] }))
  const second = row.permissionToo.app
  return row.permission.app.flatMap((name) => second.map((too) => ({ oauth2: [name, too] })))
}

/** `getPackageUri` → `Get package uri` */
const inWords = (name: string): string => {
  const words = name.replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
  return words.charAt(0).toUpperCase() + words.slice(1)
}

const permissionLines = (kind: string, names: readonly Permission[]): string[] =>
  names.map((name) => `| ${kind} | ${name} | ${permissionNames[name]} |`)

function describe(row: Row, summary: string, compatibility: string): string {
  const lines = [
    ...permissionLines('Application', row.permission.app),
    ...permissionLines('Application, and also one of', row.permissionToo?.app ?? []),
    ...permissionLines('Delegated (work or school account)', row.permission.delegated),
  ]
  const size =
    row.body === undefined && row.form === undefined ? '' : bodySize(row.bodyLimit ?? defaultBodyLimit)
  return [
    summary,
    `One of these permissions is needed:\n\n| Permission type | Permission | Permission display name |\n| --- | --- | --- |\n${lines.join('\n')}`,
    `Rate limit: ${rateOf(row)}.${size}`,
    ...(compatibility === '' ? [] : [`Beside the reference: ${compatibility}.`]),
  ].join('\n\n')
}

const bodySize = (bytes: number): string => ` Largest body: ${bytes.toLocaleString('en')} bytes.`

/** `100 calls per minute and 1,500 calls per hour` */
export function rateOf({ limit }: Pick<Operation, 'limit'>): string {
  const { perMinute, perHour } = limits[limit]
  const each = [
    perMinute !== null && `${perMinute.toLocaleString('en')} calls per minute`,
    perHour !== null && `${perHour.toLocaleString('en')} calls per hour`,
  ]
  return each.filter(Boolean).join(' and ') || 'none'
}

/** An example beside each JSON schema of a body. What is named is known only when all has been printed. */
function withExamples(document: OpenApi): OpenApi {
  const { schemas } = document.components
  const seen = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(seen)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(
      Object.entries(value).map(([key, inside]) =>
        key === 'application/json' && isBody(inside)
          ? [key, { example: exampleOf(inside.schema, schemas), ...inside }]
          : [key, seen(inside)],
      ),
    )
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- only examples are added, which are optional.
  return { ...document, paths: seen(document.paths) as OpenApi['paths'] }
}

const isBody = (value: unknown): value is { readonly schema: Schema } =>
  typeof value === 'object' && value !== null && 'schema' in value
