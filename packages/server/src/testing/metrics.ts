/** What a server says at `/metrics`, read as Prometheus reads it. */
import { expectStatus, type TestServer } from './server.ts'

export interface Sample {
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export async function scrape(server: TestServer): Promise<readonly Sample[]> {
  const asked = { method: 'GET', path: '/metrics', token: await server.token('Machine.Read.All') } as const
  const answer = await server.ask(asked)
  expectStatus(200, answer)
  return samplesIn(answer.text)
}

/** The lines of the text format that are no comments. */
export function samplesIn(text: string): readonly Sample[] {
  return text
    .split('\n')
    .filter((line) => line !== '' && !line.startsWith('#'))
    .map((line) => {
      const found = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$/.exec(line)
      if (found === null) throw new Error(`not a sample: ${line}`)
      const [, name = '', labels = '', value = ''] = found
      const pairs = [...labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g)].map(([, key = '', word = '']) => [
        key,
        word,
      ])
      return { name, labels: Object.fromEntries(pairs), value: Number(value) }
    })
}

/** The sum of all samples of this name that have these labels; null where there is none. */
export function valueOf(
  samples: readonly Sample[],
  name: string,
  labels: Readonly<Record<string, string>> = {},
): number | null {
  const found = samples.filter(
    (sample) =>
      sample.name === name && Object.entries(labels).every(([key, word]) => sample.labels[key] === word),
  )
  return found.length === 0 ? null : found.reduce((sum, { value }) => sum + value, 0)
}
