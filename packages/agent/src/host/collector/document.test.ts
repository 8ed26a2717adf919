import { join } from 'node:path'
import { expect, test } from 'vitest'
import { packageItems } from './items/index.ts'
import { itemCap } from './script.ts'
import { wordMeanings } from './words.ts'

const cell = (text: string): string => text.replaceAll('|', String.raw`\|`)
const rowOf = (cells: readonly string[]): string => `| ${cells.map(cell).join(' | ')} |`

const text = `# What an investigation package holds

Written from the source by a test: \`npm test -- packages/agent/src/host/collector/document.test.ts -u\`. Each item is a file
\`NN-name.txt\` with all that its command says, at most ${itemCap / 1024 / 1024} MiB; \`summary.txt\` and \`summary.json\` list every
item with its command, its time and how it went. Of several commands the first is taken whose program the host has.

| # | Item | What | Commands |
|---|---|---|---|
${packageItems
  .map(({ name, title, ways }, index) =>
    rowOf([
      String(index + 1),
      name,
      title,
      ways
        .map(({ needs, command }) => (needs === undefined ? '' : `${needs}: `) + `\`${command}\``)
        .join('; else '),
    ]),
  )
  .join('\n')}

Words that are no programs (\`packages/agent/src/host/collector/words.sh\`):

| Word | Does |
|---|---|
${wordMeanings.map(rowOf).join('\n')}
`

test('docs/package.md is what the source says', async () => {
  await expect(text).toMatchFileSnapshot(join(import.meta.dirname, '../../../../../docs/package.md'))
})
