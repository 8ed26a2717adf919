// The two clocks that an agent may trust without asking anybody: how long the machine is up, and which time up it is.
import { readFileSync } from 'node:fs'
import { uptime } from 'node:os'

/** What `bootId` says where the system has no boot id. */
export const noBootId = 'no-boot-id'

/**
 * Seconds since boot, time asleep included, in steps of 10 ms: it never goes back and nobody sets it. `performance.now()`
 * stands still while the machine sleeps, so a permission that lasts 30 s would outlive a night.
 */
export function bootSeconds(): number {
  return uptime()
}

/** Names the time since the last boot: another one, and every process of before is gone. `noBootId` outside Linux. */
export function bootId(): string {
  try {
    return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    return noBootId
  }
}
