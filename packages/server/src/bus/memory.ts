import { EventEmitter } from 'node:events'
import type { Bus } from '../app/ports.ts'

/** The bus of a single process. */
export function memoryBus(): Bus {
  const [wakes, actions, commits] = [toldBy(), toldBy(), toldBy()]
  return {
    publish: (change) => {
      for (const id of change.wake) wakes.emit(id)
      for (const id of change.actions) actions.emit(id)
      commits.emit('commit')
    },
    onWake: (machineId, listen) => on(wakes, machineId, listen),
    onAction: (actionId, listen) => on(actions, actionId, listen),
    onCommit: (listen) => on(commits, 'commit', listen),
  }
}

const toldBy = (): EventEmitter => new EventEmitter().setMaxListeners(0)

function on(told: EventEmitter, name: string, listen: () => void): () => void {
  told.on(name, listen)
  return () => told.off(name, listen)
}
