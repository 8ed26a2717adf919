/**
 * A constant load of issue and cancel on many pretended devices: memory flat, no action without an owner, and every one of them
 * ended as its device knows it. Half a minute of it here, ten minutes with COUNTERMAND_LOAD_SECONDS=600.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { root } from '../architecture/tree.ts'
import { freePort } from '../end-to-end/fixture.ts'
import { openProgram } from '../end-to-end/program.ts'

const seconds = Number(process.env.COUNTERMAND_LOAD_SECONDS ?? 30)
const devices = Number(process.env.COUNTERMAND_LOAD_DEVICES ?? 2000)

test(`${devices} devices, ${seconds} seconds`, { timeout: (seconds + 600) * 1_000 }, async () => {
  // Thousands of files: not where a quick scan looks, which other tests let run meanwhile.
  const folder = mkdtempSync(join(root, 'node_modules/.countermand-load-'))
  const flags = ['--devices', devices, '--steady', '--speed', 60, '--load', 15, '--for', seconds, '--plain']
  const where = ['--listen', `127.0.0.1:${await freePort()}`, '--data', folder]
  const inherited = Object.entries(process.env).filter(
    (entry): entry is [string, string] => entry[1] !== undefined,
  )
  const command = [process.execPath, join(root, 'rehearse/main.ts'), ...flags.map(String), ...where]
  const program = openProgram('rehearsal', () => command, Object.fromEntries(inherited))
  try {
    program.start()
    await program.gone()
    const said = program.output()
    console.log(said.match(/^load: (?!still).*$/gm)?.join('\n'))
    assert.match(said, /^load: every action ended, and as its device knows it$/m, said)
    assert.match(said, /kB a device$/m)
    assert.match(said, /\[rehearsal ended: 0\]/)
  } finally {
    await program.kill()
    rmSync(folder, { recursive: true, force: true })
  }
})
