import { posix } from 'node:path'
import { at, isShipped, type Source, visit } from './tree.ts'

/**
 * Who may import whom; of several rows the one with the longest name counts. Folders include what is below
 * them, `types X` allows `import type` alone, and what a row does not name it forbids.
 */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  contract: ['contract', 'typebox'],

  'server/core': ['server/core', 'contract'],
  'server/app': ['server/app', 'server/core', 'contract'],
  'server/store': [
    'server/store',
    'server/app/ports.ts',
    'server/app/rows.ts',
    'types server/app/telemetry.ts',
    'server/core',
    'server/kill-points.ts',
    'types contract',
    'kysely',
    'node:crypto',
    'node:worker_threads',
  ],
  'server/store/sqlite/open.ts': ['server/store', 'kysely', 'types node:sqlite'],
  'server/store/sqlite/file.ts': ['server/store', 'node:fs', 'node:sqlite'],
  'server/store/postgres/open.ts': ['server/store', 'kysely', 'pg'],
  'server/http': [
    'server/http',
    'server/app',
    'server/core',
    'server/kill-points.ts',
    'contract',
    'fastify',
    'jose',
    'types typebox',
    'node:*',
  ],

  // The world behind the ports: each knows its port and its one means.
  'server/bus': ['server/bus', 'server/app/ports.ts', 'contract', 'node:*'],
  'server/counters': [
    'server/counters',
    'server/app/ports.ts',
    'server/app/rows.ts',
    'server/core/rate-limit.ts',
    'server/core/sign-in.ts',
    'contract',
    'node:*',
  ],
  'server/files': [
    'server/files',
    'server/durable.ts',
    'server/app/ports.ts',
    'server/core/errors.ts',
    'contract',
    'node:*',
  ],
  'server/ids': ['server/ids', 'server/app/ports.ts', 'node:*'],
  'server/issuers': [
    'server/issuers',
    'server/app/ports.ts',
    'server/core/access-token.ts',
    'server/core/errors.ts',
    'jose',
  ],
  'server/signing': [
    'server/signing',
    'server/durable.ts',
    'server/app/ports.ts',
    'contract',
    'jose',
    'node:*',
  ],

  'server/telemetry': [
    'server/telemetry',
    'server/app/ports.ts',
    'server/app/rows.ts',
    'server/app/telemetry.ts',
    'types server/core',
    'contract',
    'prom-client',
    'node:*',
  ],
  'server/telemetry/tracer.ts': [
    'server/telemetry',
    'types server/app',
    'types server/core',
    '@opentelemetry',
  ],
  'server/tls': ['server/tls', 'server/config', 'server/timers.ts', 'types fastify', 'node:*'],
  'server/tls/private-ca.ts': [
    'server/tls',
    'server/durable.ts',
    '@peculiar/x509',
    'reflect-metadata',
    'node:*',
  ],

  'server/start': ['server/start', 'server/durable.ts', 'server/app', 'server/config', 'contract', 'node:*'],
  'server/config': [
    'server/config',
    'types server/core/access-token.ts',
    'server/core/policies.ts',
    'contract',
    'typebox',
    'yaml',
    'node:*',
  ],
  'server/print': ['server/print', 'server/core/errors.ts', 'contract', 'node:*'],
  'server/tour': ['server/tour', 'contract', 'node:*'],
  // Reads what the store has written, and asks the rules again.
  'server/verify': [
    'server/verify',
    'server/app/actions/request-action.ts',
    'server/core',
    'server/store',
    'contract',
    'types kysely',
    'node:*',
  ],
  'server/verify/snapshot.ts': ['server/verify', 'types server/store', 'types kysely', 'pg', 'node:*'],
  // Whatever stands beside main.ts. No row but main.ts's names compose.ts: nobody else imports it.
  server: ['contract', 'node:*'],
  'server/compose.ts': ['*'],
  'server/database-thread.ts': ['*'],
  'server/main.ts': ['*'],

  // Node's modules that touch nothing. The host does what an executor wants done, so that it can be pretended.
  'agent/executors': [
    'agent/executors',
    'contract',
    'types agent/host',
    'node:crypto',
    'node:path',
    'node:util',
  ],
  'agent/host': ['agent/host', 'types contract', 'node:*'],
  'agent/host/zip.ts': ['agent/host', 'yazl', 'node:*'],
  'agent/pretend': [
    'agent/pretend',
    'agent/host',
    'agent/agent.ts',
    'agent/identity.ts',
    'agent/offboard/tombstone.ts',
    'contract',
    'node:*',
  ],
  agent: ['agent', 'contract', 'jose', 'packages/agent/package.json', 'node:*'],
}

interface Import {
  readonly target: string
  readonly typesOnly: boolean
  readonly at: string
}

export function forbiddenImports(sources: readonly Source[]): string[] {
  return sources.filter(isShipped).flatMap((source) => {
    const row = Object.keys(mayImport)
      .filter((name) => isWithin(placeOf(source.path), name))
      .toSorted((a, b) => b.length - a.length)[0]
    const allowed = (row && mayImport[row]) || []
    return importsOf(source)
      .filter((found) => !allowed.some((entry) => allows(entry, found)))
      .map((found) => `${found.at} imports ${found.target}; ${row ?? 'it'} may import: ${allowed.join(', ')}`)
  })
}

function allows(entry: string, { target, typesOnly }: Import): boolean {
  if (entry === '*') return true
  if (entry === 'node:*') return target.startsWith('node:')
  if (entry.startsWith('types ')) return typesOnly && isWithin(target, entry.slice('types '.length))
  return isWithin(target, entry)
}

const isWithin = (path: string, folder: string): boolean => path === folder || path.startsWith(`${folder}/`)

/** packages/server/src/core/action.ts → server/core/action.ts */
const placeOf = (path: string): string => path.replace(/^packages\/([^/]+)\/src\//, '$1/')

/** `import { type A }` is no import of types alone: the module is still loaded. */
function importsOf(source: Source): Import[] {
  const found: Import[] = []
  const add = (node: { readonly start: number }, specifier: unknown, typesOnly: boolean): void => {
    found.push({ target: resolve(source.path, specifier), typesOnly, at: at(source, node) })
  }
  visit(source, {
    ImportDeclaration: (node) => add(node, node.source.value, node.importKind === 'type'),
    ExportAllDeclaration: (node) => add(node, node.source.value, node.exportKind === 'type'),
    ExportNamedDeclaration: (node) => node.source && add(node, node.source.value, node.exportKind === 'type'),
    ImportExpression: (node) => add(node, 'value' in node.source && node.source.value, false),
    TSImportType: (node) => add(node, node.source.value, true),
  })
  return found
}

function resolve(from: string, specifier: unknown): string {
  if (typeof specifier !== 'string') return 'something computed'
  if (specifier.startsWith('.')) return placeOf(posix.join(posix.dirname(from), specifier))
  return specifier.replace(/^@countermand\//, '')
}
