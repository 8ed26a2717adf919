/** What an investigation package is made of, and how it is gathered: by a shell script, which runs in the action's scope. */
import { progressOf, type CollectProgress } from './collector/progress.ts'
import { collectScript, tableName } from './collector/script.ts'
import { summaryOf, type PackageFacts, type Summary } from './collector/summary.ts'
import { zipOf, type ZipTexts } from './zip.ts'

export interface Collector {
  /** Shell text that gathers everything in its current folder, and writes a line to its output before each item. */
  script(itemLimitMs: number): string
  /** The file of that folder in which the script writes how each item went. */
  readonly tableName: string
  /** Says of each item how it went; of a table that is not there (empty text), that none was reached. */
  summary(table: string, facts: PackageFacts): Summary
  /** Where the script is, by the end of its output. */
  progress(output: string): CollectProgress | null
  /** The folder as a zip, in pieces, with some texts before its files. */
  zip(folder: string, texts?: ZipTexts): AsyncIterable<Uint8Array>
}

export const collector: Collector = {
  script: (itemLimitMs) => collectScript(itemLimitMs),
  tableName,
  summary: (table, facts) => summaryOf(table, facts),
  progress: progressOf,
  zip: zipOf,
}
