/** What a device is to stand as in one aspect, reckoned a second time: from what the API has accepted and how each ended, and nothing else. */
import assert from 'node:assert/strict'
import type { MachineAction } from '@countermand/contract'

export type Way = 'None' | 'Full' | 'Selective'

interface Entry {
  readonly id: string
  readonly way: Way
  /** A request to cancel it was accepted. */
  isCancelled: boolean
}

/** Actions in the order in which they were accepted. */
export class Ledger {
  private readonly entries: Entry[] = []
  private readonly from: Entry | null

  /** `from`: what decided before. */
  constructor(from: Entry | null = null) {
    this.from = from
  }

  accept(id: string, way: Way): void {
    this.entries.push({ id, way, isCancelled: false })
  }

  get ids(): readonly string[] {
    return this.entries.map(({ id }) => id)
  }

  cancel(id: string): void {
    for (const entry of this.entries) if (entry.id === id) entry.isCancelled = true
  }

  /** The newest that has succeeded; without any, what decided before. All of them are to be over. */
  decider(over: ReadonlyMap<string, MachineAction>): Entry | null {
    return this.entries.findLast(({ id }) => over.get(id)?.status === 'Succeeded') ?? this.from
  }

  /** Each ended truly: as asked where nobody took it back, and else with a proof or too late. */
  check(over: ReadonlyMap<string, MachineAction>): void {
    for (const [index, entry] of this.entries.entries()) {
      const action = over.get(entry.id)
      assert.ok(action, `nobody knows ${entry.id}`)
      checkEnd(entry, this.entries[index + 1] ?? null, action)
    }
  }
}

const proofs = ['never_offered', 'reverted']

function checkEnd({ id, isCancelled }: Entry, next: Entry | null, action: MachineAction): void {
  const { status, cancellationDateTimeUtc, countermand } = action
  const { cancel, proof } = countermand
  const told = JSON.stringify(action)
  const by = cancel?.supersededBy ?? null
  // Nothing lasts so long here that an isolation could go back by itself.
  assert.ok(status === 'Succeeded' || status === 'Cancelled', told)
  assert.equal(cancellationDateTimeUtc !== null, status === 'Cancelled', told)
  assert.equal(proof !== null, status === 'Cancelled', told)
  if (status === 'Cancelled') assert.ok(proofs.includes(proof ?? ''), told)
  if (by !== null) assert.equal(by, next?.id, `${id} names another than the next one: ${told}`)
  // Who took it back is known to somebody: the caller, or the next one.
  if (cancel !== null) assert.ok(isCancelled || by !== null, told)
  if (cancel !== null && status === 'Succeeded') assert.equal(cancel.state, 'too_late', told)
  if (isCancelled || by !== null) return
  assert.equal(status, 'Succeeded', `nobody took it back: ${told}`)
}
