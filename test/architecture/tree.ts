/** The repository's own files, and a parser for them: Vite's, because TypeScript 7 offers others none yet. */
import { readdirSync, readFileSync } from 'node:fs'
import { join, posix } from 'node:path'
import { parseSync, Visitor } from 'vite'

export interface Source {
  /** From the repository's root, with slashes. */
  readonly path: string
  readonly text: string
}

export const root = join(import.meta.dirname, '../..')

/** What .gitignore leaves out. */
const ignored = /(^|\/)(node_modules|\.git)$|^(coverage|data)$|\.log$/

export function readTree(folder = ''): Source[] {
  return readdirSync(join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = posix.join(folder, entry.name)
    if (ignored.test(path)) return []
    if (entry.isDirectory()) return readTree(path)
    return entry.isFile() ? [{ path, text: readFileSync(join(root, path), 'utf8') }] : []
  })
}

export const isCode = ({ path }: Source): boolean => /\.m?ts$|\.mjs$/.test(path)

/** Code that ships: tests, and what only tests use, may import and be what it likes. */
export const isShipped = ({ path }: Source): boolean =>
  /^packages\/[^/]+\/src\/.*\.ts$/.test(path) && !/\.test\.ts$|\/testing\//.test(path)

export function visit(source: Source, visitor: ConstructorParameters<typeof Visitor>[0]): void {
  new Visitor(visitor).visit(parseSync(source.path, source.text).program)
}

/** A node's line, for a person to jump to. */
export function at(source: Source, { start }: { readonly start: number }): string {
  return `${source.path}:${source.text.slice(0, start).split('\n').length}`
}
