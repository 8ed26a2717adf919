/** What V8 is told before the server does anything. */
import { setFlagsFromString } from 'node:v8'

/**
 * Objects of a request are short-lived. V8 counts what outlives a collection, takes any place in the code of which a hundred objects did for
 * one that makes long-lived ones, and puts them among the old from then on; with a hundred requests under way that is every place, and
 * whatever they hold stays until a full collection (`docs/decisions/0055`).
 */
export function keepRequestsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring')
}
