/** Says that what stands was changed by somebody: at once, and while somebody fights no oftener than this. */
const quietSeconds = 10

export class Drifts {
  private toldAt = -Infinity
  private untold = 0
  private detail = ''

  /** What to tell now; null where it was told a moment ago, and will be counted. */
  found(detail: string, at: number): string | null {
    this.untold += 1
    this.detail = detail
    return this.due(at)
  }

  due(at: number): string | null {
    if (this.untold === 0 || at - this.toldAt < quietSeconds) return null
    const times = this.untold
    this.untold = 0
    this.toldAt = at
    const words = times === 1 ? this.detail : `${this.detail} (${times} times since it was told last)`
    return words.slice(0, 4096)
  }
}
