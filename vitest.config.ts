import { defineConfig } from 'vitest/config'
import { LongestFirst } from './test/longest-first.ts'

// .bin/vitest, called directly, runs on whatever Node the machine has; the sources need node:sqlite.
if (Number.parseInt(process.versions.node) < 24) {
  console.error(`The tests need Node 24 or later; this is ${process.version}. Run them with: npm test`)
  process.exit(1)
}

/** `COUNTERMAND_TEST_DATABASE=postgres npm test`: every server that a test opens stands on PostgreSQL. */
const isOnPostgres = process.env.COUNTERMAND_TEST_DATABASE === 'postgres'

export default defineConfig({
  test: {
    globalSetup: [
      'test/compile-cache.ts',
      ...(isOnPostgres ? ['packages/server/src/testing/run-on-postgres.ts'] : []),
    ],
    include: ['packages/**/src/**/*.test.ts', 'test/**/*.test.ts'],
    passWithNoTests: false,
    // A hang is ended, a slow machine is not: time is never what a test here is about.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // Two cores are what a developer's container and CI have. With two files at once they idle 40 % of the time: what takes longest
    // here waits for other programs.
    maxWorkers: 3,
    // Those of one file that are marked to run side by side, wait too.
    maxConcurrency: 12,
    sequence: { sequencer: LongestFirst },
    reporters: ['default', './test/closing-line.ts'],
  },
})
