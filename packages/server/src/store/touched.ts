/** What a transaction has touched; told to the bus after its commit, and forgotten when it is taken back. */
export interface Touched {
  readonly actions: Set<string>
  /** Chains that grew by something that the device itself does not know yet. */
  readonly wake: Set<string>
}

export const nothingTouched = (): Touched => ({ actions: new Set(), wake: new Set() })
