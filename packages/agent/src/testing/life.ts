/** An agent that dies at a step of its parts: by its number, before the step or after it. */

/** By part, what of it is a step. */
export interface Steps {
  readonly [part: string]: readonly string[]
}

/** What changes the disk, the machine or the server. What only looks is no step. */
export const taskSteps: Steps = {
  journal: ['accept', 'decide', 'takeCancel', 'stand', 'promise', 'conclude', 'drop'],
  news: ['tell', 'acknowledge'],
  scopes: ['make', 'start', 'freeze', 'end'],
  puts: ['put', 'takeBack'],
  byHash: ['freeze', 'kill'],
  quarantine: ['take', 'putBack'],
  transfer: ['fetch', 'deliver'],
}

/** The life of one agent: it dies at a certain step, and from then on does nothing any more. */
export class Life {
  readonly taken: string[] = []
  private readonly end = Promise.withResolvers<'dead'>()
  private isOver = false
  private readonly steps: Steps
  private readonly fate: Fate | null

  constructor(steps: Steps, fate: Fate | null) {
    this.steps = steps
    this.fate = fate
  }

  readonly wrap = <T extends object>(part: T, name: string): T =>
    new Proxy(part, {
      get: (target, key) => {
        const member: unknown = Reflect.get(target, key)
        if (typeof member !== 'function' || !this.steps[name]?.includes(String(key))) return member
        return (...args: unknown[]) =>
          this.step(`${name}.${String(key)}`, async () => Reflect.apply(member, target, args) as unknown)
      },
    })

  /** True where the work was done; false where the agent died over it. */
  async survives(work: Promise<unknown>): Promise<boolean> {
    return (await Promise.race([work, this.end.promise])) !== 'dead'
  }

  private async step(name: string, work: () => Promise<unknown>): Promise<unknown> {
    if (this.isOver) return never
    this.taken.push(name)
    const isLast = this.taken.length === this.fate?.step
    if (isLast && this.fate?.when === 'before') return this.die()
    if (!isLast) return work()
    this.isOver = true
    await work()
    return this.die()
  }

  private die(): Promise<never> {
    this.isOver = true
    this.end.resolve('dead')
    return never
  }
}

const never = new Promise<never>(() => undefined)

export interface Fate {
  readonly step: number
  readonly when: 'before' | 'after'
}
