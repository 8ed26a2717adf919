import { at, isShipped, type Source, visit } from './tree.ts'

const randomness = ['randomUUID', 'randomBytes', 'randomInt', 'getRandomValues']
const timers = ['setTimeout', 'setInterval', 'setImmediate']
const members = ['Date.now', 'Math.random', 'performance.now']

/** Rules are pure and use cases repeatable: time and ids come in from outside; in a rule nothing waits. */
export function clocksAndDice(sources: readonly Source[]): string[] {
  return sources.filter(isShipped).flatMap((source) => {
    const isRule = /^packages\/(contract|server\/src\/core)\//.test(source.path)
    if (isRule) return uses(source, [...randomness, ...timers])
    return source.path.startsWith('packages/server/src/app/') ? uses(source, randomness) : []
  })
}

function uses(source: Source, names: readonly string[]): string[] {
  const found: string[] = []
  visit(source, {
    Identifier: (node) => names.includes(node.name) && found.push(`${at(source, node)} uses ${node.name}`),
    NewExpression: (node) => {
      const isNow = isDate(node.callee) && node.arguments.length === 0
      if (isNow) found.push(`${at(source, node)} uses new Date()`)
    },
    CallExpression: (node) => isDate(node.callee) && found.push(`${at(source, node)} uses Date()`),
    MemberExpression: (node) => {
      const text = source.text.slice(node.start, node.end)
      if (members.includes(text)) found.push(`${at(source, node)} uses ${text}`)
    },
  })
  return found
}

const isDate = (node: { readonly type: string; readonly name?: unknown }): boolean => node.name === 'Date'
