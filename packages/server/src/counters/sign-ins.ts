import type { SignIns } from '../app/ports.ts'
import { waitFor } from '../core/rate-limit.ts'
import { failuresOfAnAddress, networkOf, oneMore, waitAfter, type Failures } from '../core/sign-in.ts'

/** Of pairs, and of addresses. Beyond that the one that has failed longest ago is forgotten. */
export const mostKept = 10_000

/** In characters; a GUID. What is longer is no client, whatever it is. */
const longestId = 36

/** The failed attempts that a single process has seen. They begin anew with it. */
export function memorySignIns(): SignIns {
  const ofPairs = new Map<string, Failures>()
  const ofAddresses = new Map<string, readonly number[]>()
  return {
    waitMs: (clientId, address, at) => {
      const now = at.getTime()
      const times = (ofAddresses.get(networkOf(address)) ?? []).filter((time) => time <= now)
      const ofPair = waitAfter(ofPairs.get(pair(clientId, address)), now)
      return Math.max(ofPair, waitFor(times, failuresOfAnAddress, now))
    },
    failed: (clientId, address, at) => {
      const now = at.getTime()
      const key = pair(clientId, address)
      keep(ofPairs, key, oneMore(ofPairs.get(key), now))
      const network = networkOf(address)
      // No more than can keep the next one waiting.
      const times = (ofAddresses.get(network) ?? []).slice(1 - failuresOfAnAddress.perMinute)
      keep(ofAddresses, network, [...times, now])
    },
    succeeded: (clientId, address) => void ofPairs.delete(pair(clientId, address)),
  }
}

const pair = (clientId: string, address: string): string =>
  `${clientId.slice(0, longestId)} ${networkOf(address)}`

/** A map is in the order in which its keys came, so the last that failed goes to its end. */
function keep<Value>(map: Map<string, Value>, key: string, value: Value): void {
  map.delete(key)
  map.set(key, value)
  const [oldest] = map.keys()
  if (map.size > mostKept && oldest !== undefined) map.delete(oldest)
}
