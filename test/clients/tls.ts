/** TLS in front of a server that speaks none, for clients that ask for it; and for those that know Microsoft's hosts only. */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer, request, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import { join } from 'node:path'

/** The names that the certificate is for (`wire.md` 10, 11): ours, and those that clients have built in. */
const names = [
  'localhost',
  'login.microsoftonline.com',
  'api.securitycenter.microsoft.com',
  'api-eu.securitycenter.microsoft.com',
]

export interface Tls {
  /** PEM of the certificate that signed itself: what a client is to trust. */
  readonly certificate: string
  /** Ends TLS, and asks the server in plain HTTP. */
  readonly url: string
  /**
   * For `HTTPS_PROXY`: takes every host of `names` for the server, and refuses every other, so that nothing leaves this machine.
   */
  readonly proxyUrl: string
  close(): Promise<void>
}

/** `server`: host and port. */
export async function openTls(folder: string, server: string): Promise<Tls> {
  const certificate = join(folder, 'tls.pem')
  const key = join(folder, 'tls.key')
  makeCertificate(certificate, key)
  const tls = createTlsServer({ key: readFileSync(key), cert: readFileSync(certificate) }, (asked, answer) =>
    pass(asked, answer, server),
  )
  const proxy = createServer((_asked, answer) => answer.writeHead(405).end())
  proxy.on('connect', (asked: IncomingMessage, socket) => {
    if (!names.includes(asked.url?.replace(/:443$/, '') ?? '')) {
      socket.end('HTTP/1.1 403 Forbidden\r\n\r\n')
      return
    }
    socket.write('HTTP/1.1 200 Connection Established\r\n\r\n')
    tls.emit('connection', socket)
  })
  const close = async (): Promise<void> => {
    for (const each of [proxy, tls]) each.closeAllConnections()
    await Promise.all([proxy, tls].map(async (each) => once(each.close(), 'close')))
  }
  return {
    certificate,
    url: `https://localhost:${await listen(tls)}`,
    proxyUrl: `http://127.0.0.1:${await listen(proxy)}`,
    close,
  }
}

function makeCertificate(certificate: string, key: string): void {
  const kind = '-x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost'
  const named = `subjectAltName=${names.map((name) => `DNS:${name}`).join(',')}`
  const files = ['-addext', named, '-keyout', key, '-out', certificate]
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
