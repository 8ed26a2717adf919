/**
 * Where a real agent really restricts, and nothing else of this machine: mounts and processes of its own, packages of one program, and
 * fapolicyd watching a scratch file system only. All of it is gone with this process, however it ends, and after a time in any case.
 */
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface Room {
  /** A program that is started by this is inside; what was started is its child, and is killed with it. */
  readonly inside: readonly string[]
  readonly agentFlags: readonly string[]
  /** Whether a program that no package has brought is refused. @throws Error where one that a package has brought is, too */
  isRestricted(): boolean
  /** As somebody does who wants nothing restricted. */
  endDaemon(): void
  /** What a boot leaves of it. */
  reboot(): void
  close(): Promise<void>
}

/** Longer than all tests on one stage take. */
const longestSeconds = 900

const setUp = `set -e
mount -t ramfs ramfs /run
mount -t ramfs ramfs "$1"
cd "$1"
mkdir -p bin dpkg/info dpkg/updates dpkg/triggers hooks
touch dpkg/available dpkg/diversions
cp /usr/bin/true bin/packaged
cp /usr/bin/true bin/foreign
echo >> bin/foreign
md5sum bin/packaged | sed "s, bin, \${1#/}/bin," > dpkg/info/tools.md5sums
printf 'Package: tools\\nStatus: install ok installed\\n\\n' > dpkg/status
mount --bind dpkg /var/lib/dpkg
mount --bind hooks /etc/dpkg/dpkg.cfg.d
echo ready
exec timeout -s KILL ${longestSeconds} cat > /dev/null
`

export async function openRoom(): Promise<Room> {
  const folder = mkdtempSync(join(tmpdir(), 'countermand-room-'))
  const ways = ['--mount', '--pid', '--fork', '--kill-child=KILL', '--mount-proc']
  const holder = spawn('unshare', [...ways, 'sh', '-c', setUp, 'sh', folder], {
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  const gone = once(holder, 'close')
  await Promise.race([once(holder.stdout, 'data'), gone])
  const first = readFileSync(`/proc/${holder.pid}/task/${holder.pid}/children`, 'utf8').trim()
  if (first === '') throw new Error('The room could not be set up.')
  const there = ['--target', first, '--mount', '--pid']
  const run = (line: string): { isDone: boolean; text: string } => {
    const { status, stdout, stderr } = spawnSync('nsenter', [...there, 'sh', '-c', line], {
      encoding: 'utf8',
    })
    return { isDone: status === 0, text: `${stdout}${stderr}` }
  }
  const endDaemon = (): void => {
    run('kill -KILL $(pgrep -x fapolicyd -r R,S,D,T)')
  }
  return {
    inside: ['nsenter', ...there, 'setpriv', '--pdeathsig', 'KILL'],
    agentFlags: ['--restrict-file-systems', 'ramfs'],
    isRestricted: () => {
      const packaged = run(join(folder, 'bin/packaged'))
      if (!packaged.isDone) throw new Error(`What a package has brought does not start: ${packaged.text}`)
      return !run(join(folder, 'bin/foreign')).isDone
    },
    endDaemon,
    reboot: () => {
      endDaemon()
      run('find /run -mindepth 1 -delete')
    },
    close: async () => {
      holder.stdin.end()
      await gone
      rmSync(folder, { recursive: true, force: true })
    },
  }
}
