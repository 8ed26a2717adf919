/** The log before the SQLite file: it is bounded, as far as nobody reads. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished, test } from 'vitest'
import { boundLog, openFile } from './file.ts'

const longest = 100_000

function given() {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-log-'))
  const file = join(folder, 'countermand.db')
  const writer = openFile(file)
  const reader = new DatabaseSync(file)
  onTestFinished(() => {
    reader.close()
    writer.close()
    rmSync(folder, { recursive: true, force: true })
  })
  writer.exec('create table words (word text)')
  const write = (bytes: number): unknown =>
    writer.prepare('insert into words values (?)').run('x'.repeat(bytes))
  const log = (): number => statSync(`${file}-wal`).size
  return { reader, writer, write, log, bound: boundLog(writer, file, longest) }
}

test('a log that is longer than it may be is cut, with everything in the file; a shorter one is left alone', () => {
  const { reader, write, log, bound } = given()
  write(longest / 2)
  const before = log()
  bound()
  assert.equal(log(), before)
  write(longest)
  bound()
  assert.equal(log(), 0)
  const { bytes } = reader.prepare('select sum(length(word)) as bytes from words').get() ?? {}
  assert.equal(bytes, longest * 1.5)
})

test('while somebody reads it is left as it is, and grows', () => {
  const { reader, writer, write, log, bound } = given()
  const patience = writer.prepare('pragma busy_timeout').get()
  write(longest)
  reader.exec('begin')
  reader.prepare('select count(*) from words').get()
  write(longest)
  const before = log()
  bound()
  assert.equal(log(), before)
  assert.deepEqual(
    writer.prepare('pragma busy_timeout').get(),
    patience,
    'with others it is patient as before',
  )
  write(1)
  assert.ok(log() > before)
  reader.exec('commit')
})
