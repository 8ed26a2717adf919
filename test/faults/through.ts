import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { withWorld, type Options, type World } from '../end-to-end/fixture.ts'
import { openProxy, type Proxy } from './proxy.ts'

/** The device reaches its server through the proxy; everybody else goes straight. */
export function through(proxy: Proxy): Options {
  const around = (folder: string): readonly string[] => {
    const { apiUrl }: { apiUrl: string } = JSON.parse(
      readFileSync(join(folder, 'server/credentials.json'), 'utf8'),
    )
    proxy.leadTo(Number(new URL(apiUrl).port))
    return []
  }
  return { around, agentFlags: ['--server', proxy.url], serverFlags: ['--settle-ms', '300'] }
}

export async function withProxy(run: (world: World, proxy: Proxy) => Promise<void>): Promise<void> {
  const proxy = await openProxy()
  try {
    await withWorld(through(proxy), (world) => run(world, proxy))
  } finally {
    await proxy.close()
  }
}
