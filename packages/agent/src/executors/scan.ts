/** RunAntiVirusScan: ClamAV's scanner over the places that malware starts from, or over every local file system. */
import { maxFindings, type Finding, type ScanType } from '@countermand/contract'
import { CannotBeDone, type Executor, type Step } from './executor.ts'
import {
  bodyOf,
  impossible,
  inOwnFolder,
  keepWithinBounds,
  program,
  whyUnfinished,
  written,
} from './program.ts'

/** Exit statuses of clamscan(1). Trouble is what it could not begin, and also a single file that went away meanwhile. */
const nothingFound = 0
const somethingFound = 1
const trouble = 2
/** It stands at the end of a scan that went through; one without signatures knows no viruses. */
const summary = /^-+ SCAN SUMMARY -+\nKnown viruses: [1-9]/m

export const scan: Executor = ({ parameters, runLimitMs }) =>
  'scanType' in parameters
    ? [step(parameters.scanType, runLimitMs)]
    : impossible('This is not an order to scan.')

const step = (scanType: ScanType, limitMs: number): Step => ({
  ...program,
  limitMs,

  prepare: async (run) => {
    const scanner = await run.host.scanner.find()
    if ('lack' in scanner)
      throw new CannotBeDone(`There is no scanner on this host; install it with: ${scanner.lack}`)
    const places = await (scanType === 'Full'
      ? run.host.scanner.localFileSystems()
      : run.host.scanner.startingPlaces())
    return inOwnFolder(run, [...scanner.command, ...places])
  },

  tend: async (run) => {
    await keepWithinBounds(run)
    // It says nothing of what it finds clean.
    run.look(null, await run.host.scanner.lookedAt(run.scope))
  },

  conclude: async (run, ended) => {
    const body = bodyOf(ended)
    const output = (await written(run, 'stdout')).text
    const { findings, leftOut } = findingsIn(output)
    const errors = [...whyUnfinished(body, limitMs)]
    const failed = body.overran || !isThrough(body.status, output)
    if (errors.length === 0 && (failed || body.status === trouble))
      errors.push(wordsOf(failed, (await written(run, 'stderr')).text))
    if (leftOut > 0) errors.push(`${leftOut} more findings are not listed`)
    return { failed, errors, result: null, findings: [...findings] }
  },
})

/** `PATH: SIGNATURE FOUND`, a line for each; a path may have colons and blanks in it. */
export function findingsIn(output: string): {
  readonly findings: readonly Finding[]
  readonly leftOut: number
} {
  const found = output.split('\n').flatMap((line): readonly Finding[] => {
    const [, path, signature] = /^(.+): (\S+) FOUND$/.exec(line) ?? []
    return path === undefined || signature === undefined ? [] : [{ path: path.slice(0, 4096), signature }]
  })
  return { findings: found.slice(0, maxFindings), leftOut: Math.max(0, found.length - maxFindings) }
}

/** Whether the scan was done: all that could be read has been. */
export const isThrough = (status: number | null, output: string): boolean =>
  status === nothingFound || status === somethingFound || (status === trouble && summary.test(output))

const wordsOf = (failed: boolean, said: string): string =>
  `${failed ? 'the scanner gave up' : 'something could not be read'}: ${said.trim().split('\n').at(-1)?.slice(0, 1000) ?? ''}`
