import { EventEmitter } from 'node:events'
import type { Bus } from '../app/ports.ts'

/** The bus of a single process. */
export function memoryBus(): Bus {
  const told = new EventEmitter()
  told.setMaxListeners(0)
  const on = (name: string, listen: () => void): (() => void) => {
    told.on(name, listen)
    return () => told.off(name, listen)
  }
  return {
    publish: ({ actions, wake }) => {
      for (const id of wake) told.emit(`wake ${id}`)
      for (const id of actions) told.emit(`action ${id}`)
      told.emit('commit')
    },
    onWake: (machineId, listen) => on(`wake ${machineId}`, listen),
    onAction: (actionId, listen) => on(`action ${actionId}`, listen),
    onCommit: (listen) => on('commit', listen),
  }
}
