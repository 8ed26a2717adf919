/** The thread behind `rows.ts`: asks PostgreSQL while the one who wants to know stands still. */
import { workerData, type MessagePort } from 'node:worker_threads'
import { Client, types } from 'pg'
import type { Answered, Asked } from './rows.ts'

const { url, bell, there }: { url: string; bell: Int32Array; there: MessagePort } = workerData

const eightByteInteger = 20
types.setTypeParser(eightByteInteger, Number)
const client = new Client({ connectionString: url })
const connected = client.connect()

async function answer({ sql, values }: Asked): Promise<Answered> {
  try {
    await connected
    const { rows } = await client.query<Record<string, string | number | null>>(sql, [...values])
    return { rows }
  } catch (thrown) {
    return { failed: String(thrown) }
  }
}

there.on('message', (asked: Asked) => {
  void answer(asked).then((answered) => {
    there.postMessage(answered)
    Atomics.store(bell, 0, 1)
    Atomics.notify(bell, 0)
  })
})
there.once('close', () => void connected.finally(() => client.end()))
