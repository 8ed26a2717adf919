import type { Item } from '../item.ts'

export const peopleItems: readonly Item[] = [
  {
    name: 'users',
    title: 'Users and groups',
    ways: [{ command: 'show /etc/passwd /etc/group /etc/login.defs' }],
  },
  {
    name: 'passwords',
    title: 'State of the passwords, without their hashes: locked, empty or set, and their days',
    ways: [{ command: 'password_states' }],
  },
  {
    name: 'signed-in',
    title: 'Who is signed in',
    ways: [
      { needs: 'who', command: 'who -a || who' },
      { needs: 'w', command: 'w' },
    ],
  },
  {
    name: 'sign-ins',
    title: 'Sign-ins, restarts',
    ways: [
      { needs: 'last', command: 'last -Fiw 2>/dev/null || last' },
      { needs: 'wtmpdb', command: 'wtmpdb last' },
    ],
  },
  {
    name: 'failed-sign-ins',
    title: 'Sign-ins that were refused',
    ways: [{ needs: 'lastb', command: 'lastb -Fiw' }],
  },
  {
    name: 'last-sign-ins',
    title: 'When each user signed in last',
    ways: [
      { needs: 'lastlog', command: 'lastlog' },
      { needs: 'lastlog2', command: 'lastlog2' },
    ],
  },
  {
    name: 'sign-in-records',
    title: 'Copies of the records that these are made of',
    ways: [
      {
        command:
          'keep /run/utmp /var/log/wtmp /var/log/wtmp.1 /var/log/btmp /var/log/btmp.1 /var/log/lastlog',
      },
    ],
  },
  {
    name: 'ssh-keys',
    title: 'Keys that may sign in by SSH, with their fingerprints, and the folders they are in',
    ways: [{ command: 'authorized_keys' }],
  },
  {
    name: 'ssh-server',
    title: 'How the SSH server is set up',
    ways: [{ command: 'show /etc/ssh/sshd_config /etc/ssh/sshd_config.d/*; list /etc/ssh' }],
  },
  {
    name: 'sudoers',
    title: 'Who may act as somebody else',
    ways: [{ command: 'show /etc/sudoers /etc/sudoers.d/* /etc/doas.conf /etc/doas.d/*' }],
  },
  {
    name: 'pam',
    title: 'How sign-ins are checked',
    ways: [{ command: 'show /etc/pam.d/* /etc/security/access.conf' }],
  },
  {
    name: 'shell-start-files',
    title: 'What shells run when they start',
    ways: [
      {
        command:
          'show /etc/profile /etc/profile.d/* /etc/bash.bashrc /etc/bashrc /etc/zsh/*; in_homes show .bashrc .bash_profile .bash_login .bash_logout .profile .zshrc .zshenv .ssh/rc .config/autostart/*',
      },
    ],
  },
]
