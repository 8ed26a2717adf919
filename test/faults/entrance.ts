/**
 * Stands in a namespace and leads into it: a listening socket keeps the network that it was made in, so what comes in by the one
 * that is handed to this process goes on from here. `node entrance.ts HOST PORT`, with a channel to who has started it.
 */
import { connect, Server } from 'node:net'

const [host, port] = process.argv.slice(2)

process.once('disconnect', () => process.exit())
process.once('message', (_word: unknown, door: unknown) => {
  if (!(door instanceof Server)) throw new Error('A door was to come, and something else has.')
  door.on('connection', (near) => {
    const far = connect(Number(port), host)
    near.pipe(far).pipe(near)
    near.on('error', () => far.destroy())
    far.on('error', () => near.destroy())
  })
})
