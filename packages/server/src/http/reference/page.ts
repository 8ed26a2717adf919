/** An OpenAPI document as one HTML page without scripts. */
import type {
  NamedPermission,
  OpenApi,
  PrintedOperation,
  Reply,
  Schema,
} from '@countermand/contract/documents/shape'
import { style } from './style.ts'

interface Entry {
  readonly method: string
  readonly path: string
  readonly operation: PrintedOperation
}

const escaped: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
const text = (raw: string): string => raw.replaceAll(/[&<>"']/g, (sign) => escaped[sign] ?? '')

/** Words with `code` in them. */
const words = (raw: string): string => text(raw).replaceAll(/`([^`]+)`/g, '<code>$1</code>')
const code = (raw: string): string => `<code>${text(raw)}</code>`
const json = (value: unknown): string => `<pre>${text(JSON.stringify(value, null, 2))}</pre>`

/** Paragraphs and lists are all that descriptions have. */
const prose = (raw: string): string =>
  raw
    .split('\n\n')
    .map((block) =>
      block.startsWith('- ')
        ? `<ul>${block
            .split('\n')
            .map((line) => `<li>${words(line.slice(2))}</li>`)
            .join('')}</ul>`
        : `<p>${words(block)}</p>`,
    )
    .join('')

const cells = (kind: string, row: readonly string[]): string =>
  `<tr>${row.map((cell) => `<${kind}>${cell}</${kind}>`).join('')}</tr>`

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  return `<div class="wide"><table>${cells('th', head)}${rows.map((row) => cells('td', row)).join('')}</table></div>`
}

export function printPage(document: OpenApi): string {
  const entries = Object.entries(document.paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): Entry => ({
      method: method.toUpperCase(),
      path,
      operation,
    })),
  )
  const groups = document.tags.map((tag) => ({
    ...tag,
    entries: entries.filter(({ operation }) => operation.tags.includes(tag.name)),
  }))
  const contents = groups.map(
    ({ name, entries: inside }) =>
      `<li>${text(name)}<ul>${inside.map(({ method, path, operation }) => `<li><a href="#${operation.operationId}">${code(`${method} ${path}`)}</a></li>`).join('')}</ul></li>`,
  )
  const { title, description } = document.info
  const server = document.servers[0]?.url ?? ''
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>${text(title)}: API reference</title><style>${style}</style></head><body>
<header><h1>${text(title)}: API reference</h1>${prose(description)}
<p>This server: ${code(server)}. The same for programs: <a href="/openapi.json">openapi.json</a>.</p></header>
<nav aria-label="Contents"><h2>Contents</h2><ul>${contents.join('')}<li><a href="#errors">Errors</a></li><li><a href="#schemas">Schemas</a></li></ul></nav>
<main>${groups.map(({ name, description: about, entries: inside }) => `<h2>${text(name)}</h2>${prose(about)}${inside.map((entry) => section(entry, document)).join('')}`).join('')}
<h2 id="errors">Errors</h2>${Object.entries(document.components.responses)
    .map(
      ([name, reply]) =>
        `<h3 id="${name}">${text(name.replace('Error', ''))}</h3>${prose(reply.description)}`,
    )
    .join('')}
<h2 id="schemas">Schemas</h2>${Object.entries(document.components.schemas)
    .map(([name, schema]) => `<h3 id="${name}">${text(name)}</h3>${fields(schema)}`)
    .join('')}
</main></body></html>`
}

function section({ method, path, operation }: Entry, document: OpenApi): string {
  const { operationId, summary, parameters = [], requestBody, responses } = operation
  const beside = operation.description.split('\n\n').find((block) => block.startsWith('Beside'))
  const limit = operation.description.split('\n\n').find((block) => block.startsWith('Rate limit'))
  const given = parameters.map((each) => [
    code(each.name),
    each.in,
    kindOf(each.schema),
    words(each.description),
  ])
  return `<section><h3 id="${operationId}">${words(summary)}</h3><p class="path">${code(`${method} ${path}`)}</p>
${prose([limit, beside].filter((block) => block !== undefined).join('\n\n'))}${permissions(operation)}
${given.length > 0 ? `<h4>Parameters</h4>${table(['Name', 'In', 'Type', 'Description'], given)}` : ''}
${requestBody ? `<h4>Request body</h4>${content(requestBody)}` : ''}
<h4>Replies</h4>${Object.entries(responses)
    .map(([status, reply]) => answer(status, reply, document))
    .join('')}</section>`
}

const permissionRows = (kind: string, list: readonly NamedPermission[] = []): string[][] =>
  list.map(({ name, displayName }) => [kind, code(name), text(displayName)])

function permissions({ 'x-permissions': named }: PrintedOperation): string {
  const rows = [
    ...permissionRows('Application', named.application),
    ...permissionRows('Application, and also one of', named.applicationToo),
    ...permissionRows('Delegated (work or school account)', named.delegated),
  ]
  return `<h4>Permissions, any one of</h4>${table(['Permission type', 'Permission', 'Permission display name'], rows)}`
}

function answer(status: string, reply: Reply | { readonly $ref: string }, document: OpenApi): string {
  if ('description' in reply)
    return `<p><strong>${status}</strong> ${words(reply.description)}</p>${content(reply)}`
  const name = reply.$ref.slice(reply.$ref.lastIndexOf('/') + 1)
  const title = document.components.responses[name]?.description.split('\n')[0] ?? ''
  return `<p><a href="#${name}">${status}</a> ${text(title)}</p>`
}

function content({ content: bodies = {} }: Pick<Reply, 'content'>): string {
  return Object.entries(bodies)
    .map(([type, { schema, example }]) => {
      const shown =
        example === undefined ? '' : `<details><summary>Example</summary>${json(example)}</details>`
      return `<p>${code(type)}: ${kindOf(schema)}</p>${schema.properties ? fields(schema) : ''}${shown}`
    })
    .join('')
}

function fields({ properties = {}, required = [] }: Schema): string {
  const rows = Object.entries(properties).map(([name, schema]) => [
    code(name),
    kindOf(schema),
    required.includes(name) ? 'yes' : 'no',
    words(schema.description ?? ''),
  ])
  return table(['Name', 'Type', 'Always', 'Description'], rows)
}

/** A schema in a few words. */
function kindOf(schema: Schema): string {
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)
    return `<a href="#${name}">${text(name)}</a>`
  }
  if (schema.enum !== undefined) return schema.enum.map((word) => code(JSON.stringify(word))).join(', ')
  if (schema.const !== undefined) return code(JSON.stringify(schema.const))
  if (schema.anyOf !== undefined) return schema.anyOf.map(kindOf).join(' or ')
  if (schema.items !== undefined) return `list of ${kindOf(schema.items)}`
  return text(schema.format ?? schema.type ?? 'anything')
}
