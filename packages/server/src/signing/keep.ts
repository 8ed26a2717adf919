import { mkdir, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'

/** A key in a file for its owner only. Written whole or not at all: half a key would be a new identity. */
export async function keep(file: string, text: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true, mode: 0o700 })
  const handle = await open(`${file}.tmp`, 'w', 0o600)
  await handle.writeFile(text)
  await handle.sync()
  await handle.close()
  await rename(`${file}.tmp`, file)
  const folder = await open(dirname(file), 'r')
  await folder.sync()
  await folder.close()
}
