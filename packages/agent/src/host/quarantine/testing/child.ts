/**
 * A process of its own that takes a file away or puts it back, and dies at a moment if it is told to:
 * `child.ts take FOLDER PATH SHA1 [MOMENT]`, `child.ts back FOLDER ID [MOMENT]`, `child.ts mend FOLDER`; PATH in base64.
 */
import { openQuarantine } from '../quarantine.ts'

const [what, folder = '', ...words] = process.argv.slice(2)
const moment = words.at(what === 'take' ? 2 : 1) ?? ''
const quarantine = openQuarantine({
  folder,
  moment: (now) => {
    if (now === moment) process.kill(process.pid, 'SIGKILL')
  },
})
const action = 'an action'
const say = (value: unknown): void => console.log(JSON.stringify(value))
const [first = '', sha1 = ''] = words
try {
  if (what === 'take')
    say((await quarantine.take(Buffer.from(first, 'base64'), { action, sha1 }))?.id ?? null)
  if (what === 'back') say(await quarantine.putBack(first))
  if (what === 'mend') say(await quarantine.mend(action))
} catch (thrown) {
  console.error(thrown instanceof Error ? thrown.message : thrown)
  process.exitCode = 1
}
