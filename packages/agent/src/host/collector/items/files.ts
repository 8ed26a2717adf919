import type { Item } from '../item.ts'

export const fileItems: readonly Item[] = [
  {
    // From its end: what is cut is the past.
    name: 'journal',
    title: 'Journal of the last three days, at most 100,000 lines',
    ways: [
      { needs: 'journalctl', command: 'journalctl --no-pager -o short-iso --since "-3 days" -n 100000' },
    ],
  },
  {
    name: 'kernel-log',
    title: 'Messages of the kernel',
    ways: [{ needs: 'dmesg', command: 'dmesg -T 2>/dev/null || dmesg' }],
  },
  {
    name: 'log-files',
    title: 'Copies of logs, of each the last 4 MiB',
    ways: [
      {
        command:
          'keep /var/log/syslog /var/log/syslog.1 /var/log/messages /var/log/messages-* /var/log/auth.log /var/log/auth.log.1 /var/log/secure /var/log/secure-* /var/log/kern.log /var/log/kern.log.1 /var/log/daemon.log /var/log/user.log /var/log/cron /var/log/cron.log /var/log/audit/audit.log /var/log/audit/audit.log.1 /var/log/faillog /var/log/fail2ban.log /var/log/ufw.log /var/log/firewalld /var/log/cloud-init.log /var/log/clamav/*.log',
      },
    ],
  },
  {
    name: 'package-logs',
    title: 'Copies of the logs of package managers, of each the last 4 MiB',
    ways: [
      {
        command:
          'keep /var/log/dpkg.log /var/log/dpkg.log.1 /var/log/apt/history.log /var/log/apt/history.log.1 /var/log/apt/term.log /var/log/yum.log /var/log/dnf.log /var/log/dnf.rpm.log /var/log/zypp/history /var/log/pacman.log',
      },
    ],
  },
  { name: 'log-listing', title: 'What lies in /var/log', ways: [{ command: 'tree /var/log' }] },
  {
    name: 'temp-folders',
    title: 'What lies in temporary folders',
    ways: [{ command: 'tree /tmp /var/tmp /dev/shm /run/shm /run/user' }],
  },
  {
    name: 'changed-settings',
    title: 'What changed under /etc in the last seven days',
    ways: [{ command: 'changed /etc' }],
  },
  {
    name: 'changed-startup',
    title: 'What changed in the last seven days in places that things are started from',
    ways: [
      {
        command:
          'changed /usr/local /lib/systemd /usr/lib/systemd /var/spool/cron /var/spool/at /bin /sbin /usr/bin /usr/sbin /opt /boot; in_homes changed .ssh .config .local/bin .local/share/systemd',
      },
    ],
  },
  {
    name: 'privileged-files',
    title: 'Programs that run as their owner or group, or with capabilities',
    ways: [
      {
        needs: 'getcap',
        command:
          'privileged /usr /opt /srv /tmp /var/tmp /dev/shm; getcap -r /usr /opt /srv /tmp /var/tmp /dev/shm 2>/dev/null; true',
      },
      { command: 'privileged /usr /opt /srv /tmp /var/tmp /dev/shm' },
    ],
  },
]
