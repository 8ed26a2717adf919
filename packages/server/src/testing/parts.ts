/** Parts of an upload, as a device that follows the protocol sends them. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import type { Answer, TestServer } from './server.ts'

export interface SentPart {
  readonly offset: number
  readonly bytes: Buffer
  /** All bytes of the upload, where this is the last part. */
  readonly whole?: Buffer
}

export const digestOf = (bytes: Buffer | string): string =>
  `sha-256=:${createHash('sha256').update(bytes).digest('base64')}:`

export const partHeaders = ({ offset, bytes, whole }: SentPart): Record<string, string> => ({
  'upload-offset': String(offset),
  'upload-complete': whole === undefined ? '?0' : '?1',
  'content-digest': digestOf(bytes),
  ...(whole !== undefined && { 'repr-digest': digestOf(whole) }),
})

/** Sends one; `headers` beside those that belong to it, or in their place. */
export const sendPart = (
  server: TestServer,
  path: string,
  part: SentPart,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer<{ sha256: string; size: number }>> =>
  server.ask({ method: 'PATCH', path, body: part.bytes, headers: { ...partHeaders(part), ...headers } })

/** How far an upload is: its offset, whether it is complete, and the hash that is said of it. */
export async function standingOf(server: TestServer, path: string): Promise<readonly unknown[]> {
  const { status, headers } = await server.ask({ method: 'HEAD', path })
  return [status, headers['upload-offset'], headers['upload-complete'], headers['repr-digest']]
}

/** Every file that is kept of an action, `SHELF/NAME: CONTENT`; `SHELF` alone where only its folder is left. */
export function filesOfAction(server: Pick<TestServer, 'folder'>, actionId: string): readonly string[] {
  try {
    return ['uploads', 'results'].flatMap((top) => filesIn(join(server.folder, 'files', top, actionId), top))
  } catch (thrown) {
    // One was taken away between its name and its content: what is kept is seen by another look.
    if (thrown instanceof Error && 'code' in thrown && thrown.code === 'ENOENT')
      return filesOfAction(server, actionId)
    throw thrown
  }
}

function filesIn(own: string, top: string): readonly string[] {
  if (!existsSync(own)) return []
  const entries = readdirSync(own, { recursive: true, withFileTypes: true })
  const files = entries.flatMap((entry) => {
    const path = join(entry.parentPath, entry.name)
    return entry.isFile() ? [`${top}/${relative(own, path)}: ${readFileSync(path, 'latin1')}`] : []
  })
  return files.length === 0 ? [top] : files
}

/** Waits for what a timer of the server does. */
export async function untilTrue(is: () => boolean): Promise<void> {
  for (let tries = 0; !is(); tries += 1) {
    if (tries > 1000) throw new Error('it did not come to be')
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}
