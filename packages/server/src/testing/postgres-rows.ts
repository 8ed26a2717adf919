/** The thread behind `rows.ts`: asks PostgreSQL while the one who wants to know stands still. */
import { workerData, type MessagePort } from 'node:worker_threads'
import { Client, types } from 'pg'
import type { Answered, Asked } from './rows.ts'

const { url, bell, there }: { url: string; bell: Int32Array; there: MessagePort } = workerData

types.setTypeParser(types.builtins.INT8, Number)
const client = new Client({ connectionString: url })
// The server may be stopped before this connection is; whoever still asks is told by the answer.
client.on('error', () => undefined)
const connected = client.connect()
// Nobody need ever ask; it may be gone before this thread has come to connect.
connected.catch(() => undefined)

async function answer({ sql, values }: Asked): Promise<Answered> {
  try {
    await connected
    const { rows } = await client.query<Record<string, string | number | null>>(sql, [...values])
    return { rows }
  } catch (thrown) {
    return { failed: String(thrown) }
  }
}

async function reply(asked: Asked): Promise<void> {
  there.postMessage(await answer(asked))
  Atomics.store(bell, 0, 1)
  Atomics.notify(bell, 0)
}

async function end(): Promise<void> {
  await connected.then(() => client.end()).catch(() => undefined)
}

there.on('message', (asked: Asked) => void reply(asked))
there.once('close', () => void end())
