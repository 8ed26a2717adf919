/** A host that only pretends: nothing is started, nothing on the real one is touched. All else of the agent is real. */
import { hostWith, type Host } from '../host/host.ts'
import { pretendScopes } from './scopes.ts'

export function pretendHost(): Host {
  const real = hostWith(pretendScopes())
  return {
    ...real,
    interpreterOf: () => Promise.resolve(['/bin/sh']),
    scanner: {
      find: () => Promise.resolve({ command: ['/usr/bin/clamscan'] }),
      startingPlaces: () => Promise.resolve(['/tmp']),
      localFileSystems: () => Promise.resolve(['/']),
    },
    readFacts: async () => {
      const facts = await real.readFacts()
      return { ...facts, hostName: `pretended-${facts.hostName}`, osPlatform: 'Linux' }
    },
  }
}
