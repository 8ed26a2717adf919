import type { Item } from '../item.ts'

export const startupItems: readonly Item[] = [
  {
    name: 'cron',
    title: 'Scheduled tasks of cron and anacron',
    ways: [
      {
        command:
          'show /etc/crontab /etc/anacrontab /etc/cron.d/* /var/spool/cron/* /var/spool/cron/crontabs/* /etc/crontabs/*; list /etc/cron.hourly /etc/cron.daily /etc/cron.weekly /etc/cron.monthly /etc/periodic/*',
      },
    ],
  },
  {
    name: 'cron-scripts',
    title: 'The scripts that cron runs by the hour, day, week and month',
    ways: [
      {
        command:
          'show /etc/cron.hourly/* /etc/cron.daily/* /etc/cron.weekly/* /etc/cron.monthly/* /etc/periodic/*/*',
      },
    ],
  },
  {
    name: 'at',
    title: 'Scheduled tasks of at',
    ways: [{ command: 'show /var/spool/at/* /var/spool/cron/atjobs/* /var/spool/cron/atspool/*' }],
  },
  {
    name: 'timers',
    title: 'Timers of systemd',
    ways: [
      {
        needs: 'systemctl',
        command: 'systemctl list-timers --all --full --no-pager || list /etc/systemd/system',
      },
    ],
  },
  {
    name: 'services',
    title: 'Services and their states',
    ways: [
      { needs: 'systemctl', command: 'systemctl list-units --all --full --no-pager || list /etc/init.d' },
      { needs: 'rc-status', command: 'rc-status --all' },
      { command: 'list /etc/init.d' },
    ],
  },
  {
    name: 'service-files',
    title: 'What is started with the system',
    ways: [
      {
        needs: 'systemctl',
        command: 'systemctl list-unit-files --full --no-pager; list /etc/rc?.d /etc/init.d /etc/rc.local',
      },
      { command: 'list /etc/rc?.d /etc/init.d /etc/runlevels/* /etc/inittab /etc/rc.local' },
    ],
  },
  {
    name: 'own-service-files',
    title: 'Service files that no package brought, and start scripts',
    ways: [
      {
        command:
          'tree /etc/systemd /run/systemd/system /usr/local/lib/systemd; show /etc/systemd/system/*.service /etc/systemd/system/*.timer /etc/systemd/system/*.d/* /run/systemd/system/*.service /etc/rc.local /etc/inittab /etc/xdg/autostart/*',
      },
    ],
  },
]
