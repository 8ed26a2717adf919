// The shell text that stands between the agent and a script. It is given with `sh -c`, not as a file: there is nothing to
// install, to find or to tamper with. It runs in dash, bash and busybox.
import type { Found } from '../types.ts'

/** What the wrapper is called in its own command line and in lists of processes. */
export const wrapperName = 'countermand-wrapper'

/** Was it our own shell around the script, or its `sync` of the exit status; not something that the script had left? */
export const isWrapper = ({ command }: Found): boolean =>
  command.startsWith(`/bin/sh -c ${wrapperName} ${wrapperName} `) ||
  /^sync .*\/run\/\d+(\/exit\.tmp)?$/.test(command)

/** Exit statuses of a wrapper that ran nothing. */
export const wrapperExit = { cannotEnter: 10, cannotWrite: 11 } as const

/** Where a wrapper of sweep mode leaves who it is, inside the scope. */
export const wrapperRecord = 'wrapper'

/** What some shell exports of its own accord (bash: the first four; busybox: PATH). */
const shellsOwn = ['PWD', 'OLDPWD', 'SHLVL', '_', 'PATH']

const firstLine = 'trap : HUP INT QUIT TERM PIPE ALRM USR1 USR2'

/** Is this argument the wrapper's text? */
export function isWrapperText(argument: string): boolean {
  return argument.startsWith(firstLine)
}

/**
 * How the wrapper gets inside. Each fails if the scope was removed, which is what makes a late start harmless. The look at
 * `cgroup.kill` is for a hierarchy that was unmounted: in the folder below, `cgroup.procs` would be made as a plain file. The
 * parentheses keep variables from the script.
 */
const enter = {
  cgroup: `[ -f "$1/cgroup.kill" ] && echo $$ >"$1/cgroup.procs"`,
  sweep: `(read -r s <"/proc/$$/stat" && read -r b </proc/sys/kernel/random/boot_id && printf '%s\\n' "$s" "$b") >"$1/${wrapperRecord}"`,
}

/** When the exit status is on disk: in sweep mode the scope's folder is watched, and has no events of its own. */
const over = { cgroup: '', sweep: `; echo >"$1/over"` }

/**
 * The wrapper, called with scope, launch folder and command.
 * - Its word `inside`, on standard output, comes when nothing but a kill can keep the command from running.
 * - Signals are caught, not ignored: the wrapper outlives them, and what it starts gets the default again.
 * - No variable is set before the command has ended: one of that name in its environment would change.
 * - `exec` in a subshell, so that no second shell stands between. Its program is an absolute path, or it could be an option
 *   or a builtin.
 * - The exit status appears whole or not at all, and on a full disk too: its four bytes are written before the command begins, and
 *   overwritten in place. Where `sync FILE` is not known, so be it.
 */
export function wrapperText(mechanism: 'cgroup' | 'sweep', environment: readonly string[]): string {
  const unwanted = shellsOwn.filter((name) => !environment.includes(name))
  const unset = unwanted.length > 0 ? `unset ${unwanted.join(' ')}; ` : ''
  return `${firstLine}
${enter[mechanism]} || exit ${wrapperExit.cannotEnter}
true >>"$2/stdout" && true >>"$2/stderr" && echo 000 >"$2/exit.tmp" || exit ${wrapperExit.cannotWrite}
echo inside
exec >/dev/null
(shift 2; ${unset}exec "$@") </dev/null >>"$2/stdout" 2>>"$2/stderr"
printf '%03d\\n' $? 1<>"$2/exit.tmp" || exit
PATH=/usr/sbin:/usr/bin:/sbin:/bin
sync "$2/exit.tmp" 2>/dev/null
mv -f "$2/exit.tmp" "$2/exit"
sync "$2" 2>/dev/null${over[mechanism]}
`
}
