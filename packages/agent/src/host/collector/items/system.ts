import type { Item } from '../item.ts'

export const systemItems: readonly Item[] = [
  {
    name: 'system',
    title: 'System, version, name, time',
    ways: [
      {
        command:
          'uname -a; date; show /etc/os-release /etc/hostname /etc/machine-id /proc/uptime /proc/loadavg /etc/timezone /proc/sys/kernel/random/boot_id',
      },
    ],
  },
  {
    name: 'cpu',
    title: 'Processors',
    ways: [{ needs: 'lscpu', command: 'lscpu' }, { command: 'show /proc/cpuinfo' }],
  },
  { name: 'memory', title: 'Memory', ways: [{ command: 'show /proc/meminfo /proc/swaps /proc/vmstat' }] },
  {
    name: 'hardware',
    title: 'What the firmware says of the machine',
    ways: [{ command: 'show /sys/class/dmi/id/* /proc/device-tree/model' }],
  },
  {
    name: 'devices',
    title: 'Devices on PCI and USB',
    ways: [
      { needs: 'lspci', command: 'lspci -nnk; lsusb 2>/dev/null || list /sys/bus/usb/devices' },
      { command: 'list /sys/bus/pci/devices /sys/bus/usb/devices' },
    ],
  },
  {
    name: 'kernel',
    title: 'Kernel: version, command line, taint, security modules',
    ways: [
      {
        command:
          'show /proc/version /proc/cmdline /proc/sys/kernel/tainted /sys/kernel/security/lsm /sys/kernel/security/lockdown /sys/fs/selinux/enforce /sys/kernel/security/apparmor/profiles',
      },
    ],
  },
  {
    name: 'modules',
    title: 'Kernel modules',
    ways: [{ command: 'show /proc/modules /etc/modules /etc/modules-load.d/* /etc/modprobe.d/*' }],
  },
  {
    name: 'kernel-settings',
    title: 'Settings of the kernel',
    ways: [
      { needs: 'sysctl', command: 'sysctl -a 2>/dev/null | grep -v stable_secret' },
      { command: 'show /etc/sysctl.conf /etc/sysctl.d/*' },
    ],
  },
  {
    name: 'mounts',
    title: 'Mounts, and what is to be mounted',
    ways: [{ command: 'show /proc/self/mountinfo /etc/fstab /etc/crypttab' }],
  },
  {
    name: 'disk-usage',
    title: 'Free space',
    ways: [{ needs: 'df', command: 'df -aPT || df -P' }],
  },
  {
    name: 'disks',
    title: 'Disks and partitions',
    ways: [
      {
        needs: 'lsblk',
        command: 'lsblk -a -o NAME,MAJ:MIN,TYPE,SIZE,RO,FSTYPE,UUID,MOUNTPOINT,MODEL,SERIAL',
      },
      { command: 'show /proc/partitions /proc/mdstat; list /dev/disk/by-id /dev/disk/by-uuid' },
    ],
  },
  {
    name: 'control-groups',
    title: 'Control groups of the first process, namespaces of all',
    ways: [{ command: 'show /proc/1/cgroup; ls -l /proc/[0-9]*/ns 2>/dev/null; true' }],
  },
  {
    name: 'packages',
    title: 'Installed packages',
    ways: [
      {
        needs: 'dpkg-query',
        command: "dpkg-query -W -f '${Status;-40} ${Package}:${Architecture} ${Version} ${Maintainer}\\n'",
      },
      { needs: 'apk', command: 'apk info -v' },
      { needs: 'pacman', command: 'pacman -Q' },
      // Last: busybox has one of this name that lists nothing.
      { needs: 'rpm', command: 'rpm -qa --last' },
    ],
  },
  {
    name: 'package-sources',
    title: 'Where packages come from; without passwords',
    ways: [
      {
        command:
          'show /etc/apt/sources.list /etc/apt/sources.list.d/* /etc/yum.repos.d/* /etc/zypp/repos.d/* /etc/apk/repositories | without_passwords',
      },
    ],
  },
]
