/** A host that only pretends: nothing is started, nothing on the real one is touched. All else of the agent is real. */
import { gzipSync } from 'node:zlib'
import { hostWith, type Host } from '../host/host.ts'
import { pretendExecution } from './execution.ts'
import { pretendFirewall } from './firewall.ts'
import { pretendByHash, pretendQuarantine } from './quarantine.ts'
import { pretendScopes, type PretendedScopes } from './scopes.ts'

export function pretendHost(dataFolder: string, scopes: PretendedScopes = pretendScopes()): Host {
  const standIns = { scopes, firewall: pretendFirewall(), execution: pretendExecution() }
  const real = hostWith(standIns, dataFolder)
  return {
    ...real,
    files: {
      ...real.files,
      readCompressed: (path) =>
        Promise.resolve({
          size: 0,
          content: pretended(`This is a pretended device: ${path} was not read.\n`),
        }),
    },
    byHash: pretendByHash,
    quarantine: pretendQuarantine(real.quarantine.folder),
    interpreterOf: () => Promise.resolve(['/bin/sh']),
    scanner: {
      find: () => Promise.resolve({ command: ['/usr/bin/clamscan'] }),
      startingPlaces: () => Promise.resolve(['/tmp']),
      localFileSystems: () => Promise.resolve(['/']),
      lookedAt: () => Promise.resolve('/pretended/file'),
    },
    readFacts: async () => {
      const facts = await real.readFacts()
      return { ...facts, hostName: `pretended-${facts.hostName}`, osPlatform: 'Linux' }
    },
  }
}

async function* pretended(text: string): AsyncIterable<{ chunk: Uint8Array; read: number }> {
  yield await Promise.resolve({ chunk: gzipSync(text), read: text.length })
}
