/**
 * Loaded before a program (`node --import`), it sets that program's clock: off by as many milliseconds as the file says that
 * COUNTERMAND_TEST_CLOCK names, from one moment to the next. As with a clock that somebody sets, what was measured by the
 * monotonic one (timers, `performance.now`) goes on as before.
 */
import { readFileSync } from 'node:fs'

const file = process.env.COUNTERMAND_TEST_CLOCK ?? ''
const readEveryMs = 20
let offMs = 0
let readAt = Number.NEGATIVE_INFINITY

function off(): number {
  if (performance.now() - readAt > readEveryMs) {
    readAt = performance.now()
    offMs = Number(readFileSync(file, 'utf8'))
  }
  return offMs
}

const TrueDate = Date

class ShiftedDate extends TrueDate {
  constructor(...given: [] | [number | string | Date]) {
    if (given.length === 0) super(TrueDate.now() + off())
    else super(...given)
  }

  static override now(): number {
    return TrueDate.now() + off()
  }
}

if (file !== '') globalThis.Date = ShiftedDate as DateConstructor
