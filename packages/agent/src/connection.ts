/** What goes for every request to the server. */
import { setDefaultCACertificates } from 'node:tls'

/**
 * Goes with every request to the server: a connection of its own. One that is kept for later may be dead by then, its host having
 * vanished without a word, and whatever is sent into it waits for its own time limit before it is tried again: measured, a cancel
 * took 90 s to arrive and more, instead of 45.
 */
export const ofItsOwn = { connection: 'close' } as const

const shortestLimitMs = 30_000
/** 64 kbit/s. */
const slowestBytesPerMs = 8

/** How long a request may take, to and fro: a fixed while, and what its bytes take on a slow line. */
export const timeLimit = (bytes: number): AbortSignal =>
  AbortSignal.timeout(Math.round(shortestLimitMs + bytes / slowestBytesPerMs))

/**
 * From now on nothing is said to a server whose certificate is not vouched for by these, PEM: not to one that this host would trust
 * either. It goes for the whole process, which talks to one server.
 */
export function trustOnly(certificates: string): void {
  setDefaultCACertificates([certificates])
}
