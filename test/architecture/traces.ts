import { at, type Source } from './tree.ts'

/** Where it was written and from where it was fetched is nobody's business, and true on one machine only. */
const traces: Readonly<Record<string, RegExp>> = {
  "a path of a developer's machine": /(?<![\w.~-])\/work\//g,
  "a registry's host": /registry\.(npmjs|yarnpkg|npmmirror)\.|deb\.debian\.org|(archive|ports)\.ubuntu\.com/g,
}

export function tracesOfAMachine(sources: readonly Source[]): string[] {
  return sources.flatMap((source) =>
    Object.entries(traces).flatMap(([what, pattern]) =>
      Array.from(
        source.text.matchAll(pattern),
        ({ index }) => `${at(source, { start: index })} names ${what}`,
      ),
    ),
  )
}
