/** A script of a few seconds whose descendants say that they live, and what it leaves to be looked at. */
import { join } from 'node:path'
import { textOf } from '../end-to-end/beats.ts'

/** `Args`: a folder of its own, a word that stands in the command line of all of them, and seconds. */
export const scriptOf = (word: string): string => `#!/bin/sh
# ${word}
here=$1; word=$2
echo ran >>"$here/runs"; echo before
cat >"$here/beat" <<'END'
while [ -d "$2" ]; do
  echo "$1 $(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" >>"$2/beats"
  sleep 0.2
done
END
(trap '' TERM HUP INT QUIT; exec /bin/sh "$here/beat" deaf "$here" "$word") &
setsid /bin/sh "$here/beat" session "$here" "$word" &
(setsid env -i /bin/sh -c "/bin/sh '$here/beat' twice '$here' '$word' &" &)
sleep "$3"
echo after
exit 7
`
export const wholeOutput = 'before\nafter\n'
export const exitCode = 7

/** What it writes each time it is run. */
export const runsIn = (folder: string): string => textOf(join(folder, 'runs'))
export const onceRun = 'ran\n'
