import type { Item } from '../item.ts'

export const processItems: readonly Item[] = [
  {
    name: 'processes',
    title: 'Processes with owner, times and whole command line',
    ways: [
      // What busybox calls ps knows none of this.
      {
        needs: 'ps',
        command:
          'ps -eww -o user,pid,ppid,pgid,sid,tty,stat,lstart,time,pcpu,pmem,rss,args 2>/dev/null || each_process',
      },
      { command: 'each_process' },
    ],
  },
  {
    name: 'process-tree',
    title: 'Processes as a tree',
    ways: [{ command: 'process_tree' }],
  },
  {
    name: 'executables',
    title: 'What each process executes and where it works, removed files among it',
    ways: [{ command: 'ls -ld --full-time /proc/[0-9]*/exe /proc/[0-9]*/cwd 2>/dev/null | grep -e "->"' }],
  },
  {
    name: 'executable-hashes',
    title: 'SHA-256 of each program that is running, also of one that has been removed',
    ways: [{ needs: 'sha256sum', command: 'running_programs' }],
  },
  {
    name: 'open-files',
    title: 'Open files of all processes',
    ways: [{ needs: 'lsof', command: 'lsof -nPw || open_files' }, { command: 'open_files' }],
  },
  {
    name: 'init-environment',
    title: 'Environment of the first process; values that look like secrets are left out',
    ways: [{ command: 'init_environment' }],
  },
  {
    name: 'preloads',
    title: 'Libraries that are put before others, for all processes and for single ones',
    ways: [
      {
        command:
          'show /etc/ld.so.preload /etc/ld.so.conf /etc/ld.so.conf.d/*; grep -lE "(^|[^A-Z_])LD_(PRELOAD|AUDIT|LIBRARY_PATH)=" /proc/[0-9]*/environ 2>/dev/null; true',
      },
    ],
  },
]
