// An agent of a room, as far as it restricts: a line of JSON asks it, a line answers.
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { spawnSync } from 'node:child_process'
import { DatabaseSync } from 'node:sqlite'
import { openExecution } from '../execution.ts'
import type { Answer, Question } from './room.ts'

const [folder = '', fileSystems = ''] = process.argv.slice(2)
const say = (answer: Answer): boolean => process.stdout.write(`${JSON.stringify(answer)}\n`)
const leaving = new AbortController()
const execution = openExecution({
  name: folder,
  folder,
  log: (line) => say({ log: line }),
  fileSystems: fileSystems.split(','),
})

async function answerTo({ ask, isRestricted }: Question): Promise<unknown> {
  switch (ask) {
    case 'obstacle':
      return execution.obstacle()
    case 'apply':
      return execution.apply(isRestricted)
    case 'difference':
      return execution.difference(isRestricted)
    case 'prepare':
      return execution.prepare(leaving.signal)
    case 'startPackaged':
      return spawnSync(join(folder, '../bin/packaged')).status
    case 'lockPackages':
      // A record lock, as apt's, until this process ends.
      return new DatabaseSync('/var/lib/dpkg/lock-frontend').exec('BEGIN EXCLUSIVE')
    case 'watch':
      return void execution.watch(() => say({ changed: true }))
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const question: Question = JSON.parse(line)
  void answerTo(question).then(
    (result) => say({ id: question.id, result: result ?? null }),
    (thrown: unknown) => say({ id: question.id, trouble: String(thrown) }),
  )
}
process.exit()
