/** A proxy that ends TLS in front of a server that speaks none. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer } from 'node:https'
import { join } from 'node:path'

export interface TlsProxy {
  /** The certificate that signed itself, PEM: what a client is to trust. */
  readonly certificate: string
  readonly url: string
  close(): Promise<void>
}

/** `server`: host and port. */
export async function openTlsProxy(folder: string, server: string): Promise<TlsProxy> {
  const certificate = join(folder, 'tls.pem')
  const key = join(folder, 'tls.key')
  makeCertificate(certificate, key)
  const proxy = createServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (asked, answer) =>
    pass(asked, answer, server),
  )
  return {
    certificate,
    url: `https://localhost:${await listen(proxy)}`,
    close: async () => {
      proxy.closeAllConnections()
      await once(proxy.close(), 'close')
    },
  }
}

function makeCertificate(certificate: string, key: string): void {
  const kind = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'
  const files = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', certificate]
  execFileSync('openssl', ['req', ...kind.split(' '), ...files], { stdio: 'pipe' })
}

async function listen(server: Server): Promise<number> {
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return address.port
}

/** As a proxy does that ends TLS: the host as it was asked for, and how. */
function pass(asked: IncomingMessage, answer: ServerResponse, server: string): void {
  const [host, port] = server.split(':')
  const headers = { ...asked.headers, 'x-forwarded-proto': 'https' }
  const { method, url: path } = asked
  const onward = request({ host, port, method, path, headers }, (answered) => {
    answer.writeHead(answered.statusCode ?? 502, answered.headers)
    answered.pipe(answer)
  })
  onward.on('error', () => answer.destroy())
  asked.pipe(onward)
}
