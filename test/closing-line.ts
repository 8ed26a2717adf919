import type { Reporter, SerializedError, TestModule } from 'vitest/node'

interface Counts {
  passed: number
  failed: number
  skipped: number
}

/**
 * Ends the run with one plain line, `N passed, N failed`, that a person and a machine read alike.
 * Whatever makes the run a failure shows in it: a file that does not load, a hook that throws, an error that
 * nobody caught, no test found. Printed as the process exits, because only then does nobody print after it.
 */
export default class ClosingLine implements Reporter {
  private counts: Counts = { passed: 0, failed: 0, skipped: 0 }

  onInit(): void {
    process.once('exit', (code) => process.stdout.write(closingLine(this.counts, code)))
  }

  onTestRunEnd(modules: readonly TestModule[], unhandled: readonly SerializedError[]): void {
    this.counts = count(modules, unhandled)
  }
}

export function count(modules: readonly TestModule[], unhandled: readonly unknown[]): Counts {
  const counts: Counts = { passed: 0, failed: unhandled.length, skipped: 0 }
  for (const module of modules) {
    const suites = [module, ...module.children.allSuites()]
    counts.failed += suites.filter((suite) => suite.errors().length > 0).length
    for (const { state } of Array.from(module.children.allTests(), (test) => test.result())) {
      if (state === 'passed' || state === 'failed') counts[state]++
      // A test still pending when the run is over was cut off by one that broke off the run.
      else counts[state === 'skipped' ? 'skipped' : 'failed']++
    }
  }
  return counts
}

export function closingLine({ passed, failed, skipped }: Counts, exitCode: number): string {
  const failures = exitCode === 0 ? failed : Math.max(failed, 1)
  return `${passed} passed, ${failures} failed${skipped > 0 ? `, ${skipped} skipped` : ''}\n`
}
