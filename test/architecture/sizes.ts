/** The budgets: small enough to read in one sitting is a property, and properties get tests. */
import { dirname } from 'node:path'
import { at, isCode, isShipped, type Source, visit } from './tree.ts'

const linesOf = (text: string): number => text.trimEnd().split('\n').length

export function longFiles(sources: readonly Source[], most = 400): string[] {
  return sources
    .filter((source) => isCode(source) && linesOf(source.text) > most)
    .map(({ path, text }) => `${path} has ${linesOf(text)} lines, over ${most}`)
}

/** Where most files are short the long ones stand out: half within 90 lines, 19 in 20 within 300. */
export function longSpread(sources: readonly Source[], median = 90, nineteenIn20 = 300): string[] {
  const sized = sources
    .filter(isShipped)
    .map(({ path, text }) => ({ path, lines: linesOf(text) }))
    .toSorted((a, b) => a.lines - b.lines)
  const atShare = (share: number): number => sized[Math.ceil(sized.length * share) - 1]?.lines ?? 0
  if (atShare(0.5) <= median && atShare(0.95) <= nineteenIn20) return []
  const spread = `median ${atShare(0.5)} (at most ${median}), 95th percentile ${atShare(0.95)} (at most ${nineteenIn20})`
  return [spread, ...sized.toReversed().map(({ path, lines }) => `${path}: ${lines}`)]
}

const portFiles = ['ports.ts', 'telemetry.ts'].map((name) => `packages/server/src/app/${name}`)

export function widePorts(sources: readonly Source[], most = 8): string[] {
  const found: string[] = []
  for (const source of sources.filter(({ path }) => portFiles.includes(path))) {
    visit(source, {
      TSInterfaceDeclaration: (node) => {
        const methods = node.body.body.filter(isMethod).length
        if (methods > most)
          found.push(`${at(source, node)} ${node.id.name} has ${methods} methods, over ${most}: split`)
      },
    })
  }
  return found
}

interface Member {
  readonly type: string
  readonly typeAnnotation?: { readonly typeAnnotation: { readonly type: string } } | null
}

function isMethod({ type, typeAnnotation }: Member): boolean {
  return type === 'TSMethodSignature' || typeAnnotation?.typeAnnotation.type === 'TSFunctionType'
}

interface FunctionNode {
  readonly start: number
  readonly end: number
  readonly params: readonly { readonly type: string; readonly name?: unknown }[]
}

/** Also the functions that are only promised, in an interface or a type. */
export function longParameterLists(sources: readonly Source[], most = 4): string[] {
  const found: string[] = []
  for (const source of sources.filter(isCode)) {
    const check = (node: FunctionNode): void => {
      const positional = node.params.filter(({ name }) => name !== 'this').length
      if (positional > most)
        found.push(`${at(source, node)} takes ${positional} parameters, over ${most}: an object`)
    }
    visit(source, { ...everyFunction(check), TSMethodSignature: check, TSFunctionType: check })
  }
  return found
}

export function longFunctions(sources: readonly Source[], most = 50): string[] {
  const found: string[] = []
  for (const source of sources.filter((each) => isShipped(each) || each.path === 'run.mjs')) {
    const check = (node: FunctionNode): void => {
      const lines = linesOf(source.text.slice(node.start, node.end))
      if (lines > most) found.push(`${at(source, node)} is a function of ${lines} lines, over ${most}`)
    }
    visit(source, everyFunction(check))
  }
  return found
}

function everyFunction(check: (node: FunctionNode) => void) {
  return { FunctionDeclaration: check, FunctionExpression: check, ArrowFunctionExpression: check }
}

export function anys(sources: readonly Source[]): string[] {
  const found: string[] = []
  for (const source of sources.filter(isCode)) {
    visit(source, { TSAnyKeyword: (node) => found.push(`${at(source, node)} says any`) })
  }
  return found
}

/** The tripwire: a layer that reaches this many files is split by feature. */
export function fullFolders(sources: readonly Source[], most = 25): string[] {
  const folders = Map.groupBy(sources.filter(isShipped), ({ path }) => dirname(path))
  return [...folders]
    .filter(([, files]) => files.length > most)
    .map(([folder, files]) => `${folder} has ${files.length} files, over ${most}: split it by feature`)
}
