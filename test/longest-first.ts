import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** What takes minutes, first; chaos, which keeps both cores busy, once those that mostly wait are under way; then the rest. */
const order = ['test/steps/', 'test/end-to-end/', 'test/chaos/', 'test/isolation/', 'test/']

/** Few files run at a time: begun last, one that takes minutes would run alone, and the whole would wait for it. */
export class LongestFirst extends BaseSequencer {
  override sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return Promise.resolve(files.toSorted((one, other) => placeOf(one) - placeOf(other)))
  }
}

function placeOf({ moduleId }: TestSpecification): number {
  const place = order.findIndex((part) => moduleId.includes(`/${part}`))
  return place < 0 ? order.length : place
}
