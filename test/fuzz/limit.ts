/** Below this many requests the heap says nothing: one batch of garbage more or less would be a leak. */
const fewest = 20_000
/** In bytes a request. What is kept of each would be some hundreds at least; the rest is noise of the collector. */
const most = 64

export const limitOf = (count: number): string => (count < fewest ? 'any number, of so few' : `${most}`)

export const slopeFault = (count: number, slope: number): string | null =>
  count < fewest || slope <= most ? null : `the heap grows by ${slope.toFixed(1)} bytes a request`
