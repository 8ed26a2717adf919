/** What dpkg has on disk of what it installed, as text. Pure. */

/** A file as a package brought it. */
export interface Packaged {
  readonly path: string
  readonly md5: string
}

/** `path` of any package but `by` lies at `to`; `by` is `:` where the administrator said so, for all of them. */
export interface Diversion {
  readonly path: string
  readonly to: string
  readonly by: string
}

/** Of an `info/*.md5sums`; lines of another form are left out: they are of names that no list of trust can hold. */
export function readSums(text: string): Packaged[] {
  return text.split('\n').flatMap((line) => {
    const [, md5, path] = /^([0-9a-f]{32}) [ *](.+)$/.exec(line) ?? []
    return md5 === undefined || path === undefined ? [] : [{ md5, path: `/${path}` }]
  })
}

export function readDiversions(text: string): Diversion[] {
  const lines = text.split('\n').slice(0, -1)
  const found: Diversion[] = []
  for (let at = 0; at + 2 < lines.length; at += 3) {
    const [path = '', to = '', by = ''] = lines.slice(at, at + 3)
    found.push({ path, to, by })
  }
  return found
}

/** Configuration files, which are in no `md5sums`, of every package of a `status` that is not removed. */
export function readConffiles(text: string): Packaged[] {
  return text.split('\n\n').flatMap((paragraph) => {
    if (/^Status: .* (config-files|not-installed)$/m.test(paragraph)) return []
    const [, listed = ''] = /^Conffiles:\n((?: .*(?:\n|$))+)/m.exec(paragraph) ?? []
    return listed.split('\n').flatMap((line) => {
      const [, path, md5] = /^ (\/.+) ([0-9a-f]{32})(?: obsolete| remove-on-upgrade)*$/.exec(line) ?? []
      return md5 === undefined || path === undefined ? [] : [{ md5, path }]
    })
  })
}

/** `foo` of `foo.md5sums`, and of `foo:amd64.md5sums`. */
export const packageOf = (fileName: string): string => fileName.replace(/(:[^:.]+)?\.md5sums$/, '')

/** Where a package's file really lies. */
export function placeOf(path: string, owner: string, diversions: readonly Diversion[]): string {
  return diversions.find((each) => each.path === path && each.by !== owner)?.to ?? path
}
