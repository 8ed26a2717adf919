import type { Bus } from '../app/ports.ts'

/** The bus of a single process. */
export function memoryBus(): Bus {
  const [wakes, actions, commits] = [new Told(), new Told(), new Told()]
  return {
    publish: (change) => {
      for (const id of change.wake) wakes.tell(id)
      for (const id of change.actions) actions.tell(id)
      commits.tell('commit')
    },
    onWake: (machineId, listen) => wakes.on(machineId, listen),
    onAction: (actionId, listen) => actions.on(actionId, listen),
    onCommit: (listen) => commits.on('commit', listen),
  }
}

/** Who listens, by name. Nearly everything that is told is heard by nobody, and is told thousands of times a second. */
class Told {
  readonly #listeners = new Map<string, ReadonlySet<{ readonly listen: () => void }>>()

  tell(name: string): void {
    for (const { listen } of this.#listeners.get(name) ?? []) listen()
  }

  /** @returns what ends it */
  on(name: string, listen: () => void): () => void {
    const one = { listen }
    this.#listeners.set(name, new Set(this.#listeners.get(name)).add(one))
    return () => {
      const others = new Set(this.#listeners.get(name))
      others.delete(one)
      if (others.size > 0) this.#listeners.set(name, others)
      else this.#listeners.delete(name)
    }
  }
}
