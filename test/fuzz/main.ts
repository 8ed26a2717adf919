/** `npm run fuzz -- [COUNT]`: requests by chance, and what must hold of every answer. */
import { limitOf, slopeFault } from './limit.ts'
import { runFuzz } from './fuzz.ts'

const usage = `npm run fuzz -- [COUNT [FROM]]   default 200000, from request 0
COUNTERMAND_FUZZ_SEED decides what is sent; a new one is made and printed where it is left out.
Ends with 0 when every answer was as it should be and the heap stayed flat; else with 1.
`
const seed = Number(process.env.COUNTERMAND_FUZZ_SEED ?? Date.now() % 1_000_000)
const [count = 200_000, from = 0] = process.argv.slice(2).map(Number)
if (!Number.isInteger(seed) || !Number.isInteger(count) || count < 1 || !Number.isInteger(from)) {
  console.error(usage)
  process.exit(2)
}
console.log(`COUNTERMAND_FUZZ_SEED=${seed}`)
const began = performance.now()
const { faults, statuses, done, heap, slope } = await runFuzz(seed, count, from)
const seconds = (performance.now() - began) / 1000
for (const fault of faults.slice(0, 50)) console.log(fault)
const byStatus = [...statuses].toSorted(([a], [b]) => a - b).map(([status, times]) => `${status}: ${times}`)
console.log(`${count} requests in ${Math.round(seconds)} s; ${byStatus.join(', ')}`)
console.log(`${done.size} operations were carried out: ${[...done].toSorted().join(', ')}`)
const [first, last] = [heap[0], heap.at(-1)].map((bytes = 0) => (bytes / 2 ** 20).toFixed(1))
const grown = `${slope.toFixed(1)} bytes a request in the second half (at most ${limitOf(count)})`
console.log(`heap ${first} MiB after the first batch, ${last} MiB after the last; ${grown}`)
const flat = slopeFault(count, slope)
if (flat !== null) console.log(flat)
console.log(`${faults.length} faults`)
process.exitCode = faults.length === 0 && flat === null ? 0 : 1
