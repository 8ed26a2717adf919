/**
 * A script whose every descendant does what keeps a killer away, and says that it lives: a line with its name and the time, in
 * nanoseconds of UTC, on and on. Beaters stop by themselves when the folder is gone, so that nothing outlives a broken test.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** `Args`: a folder of its own, and a word that stands in the command line of all of them. */
export const beatingScript = `#!/bin/sh
here=$1; word=$2
cat >"$here/beat" <<'END'
n=0
while [ -d "$2" ]; do
  echo "$1 $(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" >>"$2/beats"
  n=$((n + 1)); [ "$n" = "\${4:-none}" ] && kill -STOP $$
  sleep 0.1
done
END
cat >"$here/fork" <<'END'
[ -d "$1" ] || exit
echo "forking $(date -u +%Y-%m-%dT%H:%M:%S.%NZ)" >>"$1/beats"
sleep 0.1
/bin/sh "$1/fork" "$1" "$2" &
END
beat="/bin/sh $here/beat"
(trap '' TERM HUP INT QUIT USR1; exec $beat deaf "$here" "$word") &
setsid $beat session "$here" "$word" &
(setsid /bin/sh -c "$beat twice '$here' '$word' &" &)
env -i $beat bare "$here" "$word" &
(setsid env -i /bin/sh -c "trap '' TERM HUP; $beat worst '$here' '$word' &" &)
$beat stopped "$here" "$word" 3 &
/bin/sh "$here/fork" "$here" "$word" &
exec $beat script "$here" "$word"
`
export const beaters = ['deaf', 'session', 'twice', 'bare', 'worst', 'stopped', 'forking', 'script'] as const

export interface Beat {
  readonly name: string
  readonly at: bigint
}

export function beatsIn(folder: string): readonly Beat[] {
  const lines = textOf(join(folder, 'beats')).split('\n').slice(0, -1)
  return lines.map((line) => {
    const [name = '', at = ''] = line.split(' ')
    return { name, at: nanoseconds(at) }
  })
}

/** True once every beater has beaten three times; the stopped one is stopped by then. */
export const haveAllBeaten = (folder: string): boolean => {
  const beats = beatsIn(folder)
  return beaters.every((name) => beats.filter((beat) => beat.name === name).length >= 3)
}

/** Since 1970, from ISO 8601 with up to nine digits of a second's fraction. */
export function nanoseconds(utc: string): bigint {
  const [, seconds, fraction = ''] = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?Z$/.exec(utc) ?? []
  if (seconds === undefined) throw new Error(`${JSON.stringify(utc)} is no time`)
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, '0'))
}

export function textOf(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
