import type { Item } from '../item.ts'

export const networkItems: readonly Item[] = [
  {
    name: 'connections',
    title: 'Sockets of every kind with their processes',
    ways: [
      { needs: 'ss', command: 'ss -anpe' },
      { needs: 'netstat', command: 'netstat -anpe 2>/dev/null || netstat -ane' },
      {
        command:
          'show /proc/net/tcp /proc/net/tcp6 /proc/net/udp /proc/net/udp6 /proc/net/raw /proc/net/raw6 /proc/net/unix',
      },
    ],
  },
  {
    name: 'listeners',
    title: 'Who listens where',
    ways: [
      { needs: 'ss', command: 'ss -lntup' },
      { needs: 'netstat', command: 'netstat -lntup 2>/dev/null || netstat -lntu' },
      { command: 'cat /proc/net/tcp /proc/net/tcp6 2>/dev/null | awk \'$4 == "0A"\'' },
    ],
  },
  {
    name: 'neighbours',
    title: 'Neighbours on the link (ARP, NDP)',
    ways: [{ needs: 'ip', command: 'ip neigh show' }, { command: 'show /proc/net/arp' }],
  },
  {
    name: 'routes',
    title: 'Routes and routing rules',
    ways: [
      { needs: 'ip', command: 'ip route show table all && ip -6 route show table all && ip rule show' },
      { command: 'show /proc/net/route /proc/net/ipv6_route' },
    ],
  },
  {
    name: 'interfaces',
    title: 'Interfaces, addresses, counters',
    ways: [
      { needs: 'ip', command: 'ip addr show && show /proc/net/dev' },
      { needs: 'ifconfig', command: 'ifconfig -a' },
      { command: 'show /proc/net/dev /proc/net/if_inet6 /proc/net/fib_trie' },
    ],
  },
  {
    name: 'firewall-nftables',
    title: 'Rules of nftables',
    ways: [{ needs: 'nft', command: 'nft list ruleset' }],
  },
  {
    // The save programs list what is there; `iptables -L` would load modules for what is not.
    name: 'firewall-iptables',
    title: 'Rules of iptables, for IPv4 and IPv6',
    ways: [{ needs: 'iptables-save', command: 'iptables-save -c; ip6tables-save -c' }],
  },
  {
    name: 'name-resolution',
    title: 'How names are resolved, and which are fixed',
    ways: [
      { command: 'show /etc/resolv.conf /etc/hosts /etc/nsswitch.conf /etc/hosts.allow /etc/hosts.deny' },
    ],
  },
  {
    name: 'proxy-settings',
    title: 'Where a proxy is set; without passwords',
    ways: [
      {
        command:
          'search proxy /etc/environment /etc/environment.d /etc/profile /etc/profile.d /etc/bash.bashrc /etc/apt/apt.conf /etc/apt/apt.conf.d /etc/yum.conf /etc/dnf/dnf.conf /etc/wgetrc /etc/sysconfig/proxy /etc/systemd/system | without_passwords; init_environment | grep -i proxy; true',
      },
    ],
  },
]
