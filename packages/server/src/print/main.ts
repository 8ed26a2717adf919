/** `npm run print`: writes the documents that are printed from the contract. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { printouts } from './printouts.ts'

const root = join(import.meta.dirname, '../../../..')
for (const [path, text] of Object.entries(printouts())) {
  await writeFile(join(root, path), text)
  console.log(path)
}
