/** `npm run replay -- FILE`: does a server still answer a playbook as it did when it was recorded? */
import { existsSync, readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import type { Machine } from '../../packages/contract/src/index.ts'
import type { Credentials } from '../../packages/server/src/start/credentials.ts'
import { openApi } from '../api.ts'
import type { Line } from '../recording.ts'
import { play, type Played } from './play.ts'

const usage = `npm run replay -- FILE [flags]: plays a recording of npm run rehearse -- --record FILE, and says what is answered otherwise.
  --data DIR             of the rehearsal, or of another server: where its credentials.json is; default ./rehearsal
  --patience SECONDS     how long a question is asked again until the recorded answer comes; default 60
It ends with 0 where all is as it was, and with 1 where something differs.
`

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) return console.log(usage)
  const word = { type: 'string' } as const
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: { data: word, patience: word },
  })
  const [file, ...more] = positionals
  if (file === undefined || more.length > 0) throw new Error(usage)
  const credentials = credentialsIn(resolve(values.data ?? 'rehearsal'))
  const api = openApi(credentials)
  const { value } = await api.ask<{ value: readonly Machine[] }>('GET', '/api/machines?$top=10000')
  const parts = {
    base: credentials.apiUrl,
    bearer: () => api.bearer(),
    devices: new Map(value.map(({ id, computerDnsName }) => [computerDnsName ?? '', id])),
    patienceMs: patienceIn(values.patience ?? '60') * 1_000,
  }
  let [asked, different] = [0, 0]
  for await (const played of play(linesOf(file), parts)) {
    asked += 1
    if (played.differences.length > 0) different += 1
    console.log(wordsOf(played))
  }
  console.log(`${asked} requests played, ${different} answered otherwise than recorded`)
  if (different > 0) process.exitCode = 1
}

function patienceIn(text: string): number {
  if (/^\d{1,5}$/.test(text)) return Number(text)
  throw new Error('--patience takes a whole number of seconds.')
}

function credentialsIn(folder: string): Credentials {
  const path = [join(folder, 'server'), folder]
    .map((each) => join(each, 'credentials.json'))
    .find((each) => existsSync(each))
  if (path === undefined)
    throw new Error(
      `There is no credentials.json in ${folder}: name the folder of a rehearsal that runs, with --data.`,
    )
  const credentials: Credentials = JSON.parse(readFileSync(path, 'utf8'))
  return credentials
}

function linesOf(file: string): readonly Line[] {
  if (!existsSync(file))
    throw new Error(`There is no file ${file}: make one with npm run rehearse -- --record ${file}`)
  const texts = readFileSync(file, 'utf8').split('\n').filter(Boolean)
  return texts.map((text, index) => {
    try {
      const line: Line = JSON.parse(text)
      return line
    } catch {
      throw new Error(`Line ${index + 1} of ${file} is no line of a recording.`)
    }
  })
}

function wordsOf({ number, exchange: { method, path, status }, differences }: Played): string {
  const head = `${String(number).padStart(4)}  ${method} ${path}  ${status}`
  if (differences.length === 0) return `${head}  as recorded`
  const lines = differences.map(
    ({ at, recorded, now }) =>
      `        ${at}: recorded ${JSON.stringify(recorded)}, now ${JSON.stringify(now)}`,
  )
  return [`${head}  DIFFERENT`, ...lines].join('\n')
}

main(process.argv.slice(2)).catch((thrown: unknown) => {
  console.error(thrown instanceof Error ? thrown.message : thrown)
  process.exitCode = 2
})
