/** What fapolicyd is to do, as text, and the scripts that start it. Pure. */

/** The daemon's configuration, its rules, those that hold while packages change, and the programs that it trusts. */
export interface Policy {
  readonly 'fapolicyd.conf': string
  readonly 'compiled.rules': string
  readonly 'hold.rules': string
  readonly 'fapolicyd.trust': string
}

export const rulesFiles = ['compiled.rules', 'hold.rules'] as const
export type RulesFile = (typeof rulesFiles)[number]

/** Where files of this host's own may lie. Not those of images (squashfs), of other hosts, and of FUSE. */
const localFileSystems = 'ext2 ext3 ext4 xfs btrfs tmpfs ramfs vfat exfat iso9660 f2fs zfs overlay'.split(' ')

/** Its own word for them, `execdirs`, matches no file in 1.1.7. */
const systemFolders = '/usr/,/bin/,/sbin/,/lib/,/lib64/'

/** fapolicyd reads no longer line. */
const longestLine = 160

export function policyOf({
  program,
  fileSystems,
  list,
}: {
  /** The agent's own, which must start again whatever it has become. */
  readonly program: string
  readonly fileSystems: readonly string[] | null
  readonly list: string
}): Policy {
  return {
    'fapolicyd.conf': configurationFor(fileSystems ?? localFileSystems),
    'compiled.rules': rulesOf(program, []),
    // The system's folders are root's, and what dpkg puts there is not known yet.
    'hold.rules': rulesOf(program, [
      'allow perm=execute uid=0 : all',
      `allow perm=execute all : dir=${systemFolders}`,
    ]),
    'fapolicyd.trust': list,
  }
}

function rulesOf(program: string, more: readonly string[]): string {
  if (/[\s,%\p{C}]/u.test(program))
    throw new Error(`The agent's program must have a path without blanks and commas, and this is ${program}.`)
  const rules = [
    `allow perm=execute uid=0 : path=${program}`,
    ...more,
    'allow perm=execute all : trust=1',
    'deny_audit perm=execute all : all',
    'allow perm=open all : all',
  ]
  return `${rules.join('\n')}\n`
}

function configurationFor(fileSystems: readonly string[]): string {
  const watched = `watch_fs = ${fileSystems.join(',')}`
  if (fileSystems.length === 0 || watched.length > longestLine || !fileSystems.every(isType))
    throw new Error(`These are no types of file systems that fapolicyd takes: ${fileSystems.join(',')}.`)
  const lines = [
    'permissive = 0',
    'nice_val = 14',
    'q_size = 1024',
    // Another user could be none that this host has, and would need capabilities that a container lacks.
    'uid = 0',
    'gid = 0',
    'do_stat_report = 0',
    'detailed_report = 0',
    'db_max_size = 100',
    'subj_cache_size = 1549',
    'obj_cache_size = 8191',
    watched,
    'trust = file',
    // By size alone, a program that was changed in place would pass.
    'integrity = sha256',
    'syslog_format = rule,dec,perm,auid,pid,exe,:,path,ftype,trust',
    // By mount points, a bind mount would lead around it.
    'allow_filesystem_mark = 1',
  ]
  return `${lines.join('\n')}\n`
}

const isType = (name: string): boolean => /^[a-z0-9._]+$/.test(name)

/**
 * Takes: the folder, the file of rules, and the name of its file systems by which it is known. In a mount namespace of its own, where
 * the host's configuration is covered by ours; mounts of the host still arrive there.
 */
export const startScript = `set -e
mkdir -p /run/fapolicyd /var/lib/fapolicyd
mount --bind "$1/policy" /etc/fapolicyd
[ "$2" = compiled.rules ] || mount --bind "$1/policy/$2" /etc/fapolicyd/compiled.rules
mount -t tmpfs -o mode=0700 "$3" /var/lib/fapolicyd
mount -t tmpfs -o mode=0700 "$3" /run/fapolicyd
# It leaves out what is mounted at /run itself.
mount --bind /run "$1/run"
{ echo -1000 > /proc/self/oom_score_adj; } 2> /dev/null || :
# Whoever has the lock's file open has the lock.
exec fapolicyd 3>&-
`

/** Takes the folder and that name. Starts the daemon anew by the rules that hold while packages change, where it restricts. */
export const holdScript = `exec 3>> "$1/lock" || exit 0
flock -w 20 3 || exit 0
read -r pid < /run/fapolicyd.pid || exit 0
policy=/proc/$pid/root/etc/fapolicyd
grep -q " - tmpfs $2 " "/proc/$pid/mountinfo" || exit 0
[ "$policy/compiled.rules" -ef "$policy/hold.rules" ] && exit 0
kill -KILL "$pid"
while [ -d "$policy" ]; do sleep 0.02; done
rm -f /run/fapolicyd.pid
exec unshare --mount --propagation slave sh "$1/start.sh" "$1" hold.rules "$2"
`

/** Has dpkg run that before it changes anything, and go on whatever comes of it. */
export function hookOf(folder: string, source: string): string {
  const script = quoted(`${folder}/hold.sh`)
  return `# While programs of this host are restricted: what packages bring may start while they are installed.
pre-invoke=sh ${script} ${quoted(folder)} ${source} > /dev/null 2>&1 || true
`
}

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`
