import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { FolderInUse, lockFolder } from './lock.ts'

const module = JSON.stringify(join(import.meta.dirname, 'lock.ts'))
const inAnother = (folder: string, then: string): string[] => [
  '--no-warnings',
  '--input-type=module',
  '-e',
  `const { lockFolder } = await import(${module})
   try { lockFolder(${JSON.stringify(folder)}); console.log('mine') } catch (error) { console.log(error.message) }
   ${then}`,
]

test('a folder has one agent at a time, and is free again when that one is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-lock-'))
  const holder = spawn(process.execPath, inAnother(folder, 'setInterval(() => {}, 1000)'))
  try {
    expect(String((await once(holder.stdout, 'data'))[0])).toBe('mine\n')
    expect(() => lockFolder(folder)).toThrow(FolderInUse)
    expect(() => lockFolder(folder)).toThrow(folder)
    expect(() => lockFolder(folder)).toThrow('Stop it first')

    holder.kill('SIGKILL')
    await once(holder, 'exit')
    const lock = lockFolder(folder)
    expect(() => lockFolder(folder)).toThrow(FolderInUse)
    const { stdout } = spawnSync(process.execPath, inAnother(folder, ''), { encoding: 'utf8' })
    expect(stdout).toContain('Another agent is using')
    lock.release()
    lockFolder(folder).release()
  } finally {
    holder.kill('SIGKILL')
    rmSync(folder, { recursive: true })
  }
})

test('a folder that is not there is another error', () => {
  expect(() => lockFolder('/no/such/folder')).toThrow(/unable to open/)
})
