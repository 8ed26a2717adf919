/** So that `npm test` is all there is to pass: what `npm run check` checks, and the lockfile's promises. */
import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, test } from 'vitest'
import { root } from './architecture/tree.ts'

describe('the sources', () => {
  test.each([
    ['type-check', 'typescript/bin/tsc', '--project', '.'],
    ['type-check as a contract without Node', 'typescript/bin/tsc', '--project', 'packages/contract'],
    ['lint', 'oxlint/bin/oxlint', '--deny-warnings'],
    ['are formatted (npm run format)', 'prettier/bin/prettier.cjs', '--check', '.'],
  ])('%s', { timeout: 120_000 }, (_, tool, ...args) => {
    const command = [join(root, 'node_modules', tool), ...args]
    // Each of these by itself brings colours into what a person is to read here.
    const env = { ...process.env, FORCE_COLOR: undefined, CI: undefined, NO_COLOR: '1' }
    const { status, stdout, stderr } = spawnSync(process.execPath, command, {
      cwd: root,
      env,
      encoding: 'utf8',
    })
    assert.ok(status === 0, `${stdout}${stderr}`)
  })
})

interface Package {
  readonly version?: string
  readonly resolved?: string
  readonly link?: boolean
  readonly integrity?: string
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

describe('the lockfile', () => {
  const lockfile = readFileSync(join(root, 'package-lock.json'), 'utf8')
  const { packages } = JSON.parse(lockfile) as { packages: Readonly<Record<string, Package>> }
  const installed = Object.entries(packages).filter(
    ([path, { link }]) => path.includes('node_modules/') && !link,
  )
  const ours = Object.entries(packages).filter(([path]) => !path.includes('node_modules/'))

  // npm leaves other platforms out when it sees a node_modules: make the lockfile in a copy of the manifests
  // alone, with `npm install --package-lock-only`.
  test('serves every platform, not only the one it was made on', () => {
    const present = new Set(installed.map(([path]) => path.slice(path.lastIndexOf('node_modules/') + 13)))
    const wanted = Object.values(packages).flatMap((each) => Object.keys(each.optionalDependencies ?? {}))
    assert.deepEqual(
      wanted.filter((name) => !present.has(name)),
      [],
    )
  })

  test('names no place to fetch from, and what must come from there', () => {
    assert.deepEqual(
      installed.filter(([, { resolved, integrity }]) => resolved || !integrity),
      [],
    )
  })

  test('pins one runtime for all platforms, and exact versions everywhere', () => {
    const runtimes = installed.filter(([path]) => /^node_modules\/node-(bin-)?(linux|darwin)-\w+$/.test(path))
    assert.equal(runtimes.length, 4)
    assert.equal(new Set(runtimes.map(([, { version }]) => version)).size, 1)

    const asked = ours.flatMap(([, { dependencies, devDependencies, optionalDependencies }]) =>
      Object.entries({ ...dependencies, ...devDependencies, ...optionalDependencies }),
    )
    assert.deepEqual(
      asked.filter(([, version]) => !/^\d+\.\d+\.\d+(-[\w.]+)?$/.test(version)),
      [],
    )
  })
})
