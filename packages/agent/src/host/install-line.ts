/** The line that a person pastes to bring what is lacking, by what this host installs packages with. */
import { existsSync } from 'node:fs'

const managers = [
  { name: 'apt', program: '/usr/bin/apt-get', line: 'apt-get install --yes' },
  { name: 'dnf', program: '/usr/bin/dnf', line: 'dnf install --assumeyes' },
  { name: 'zypper', program: '/usr/bin/zypper', line: 'zypper install' },
  { name: 'apk', program: '/sbin/apk', line: 'apk add' },
] as const

export type PackageManager = (typeof managers)[number]['name']

/** `packages`: their names there. */
export function installLine(packages: (manager: PackageManager) => readonly string[]): string | null {
  const found = managers.find(({ program }) => existsSync(program))
  return found === undefined ? null : `${found.line} ${packages(found.name).join(' ')}`
}
