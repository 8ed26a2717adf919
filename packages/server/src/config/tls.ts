/** How the server speaks TLS: not at all, by a CA of its own, or by a certificate that somebody has brought. */
import { hostname } from 'node:os'
import { resolve } from 'node:path'
import { apiHosts, signInHosts } from '@countermand/contract'
import { ConfigError, type Settings } from './settings.ts'

export type Tls =
  | { readonly kind: 'off' }
  /** `names`: DNS names and addresses that the certificate is for. */
  | { readonly kind: 'auto'; readonly names: readonly string[] }
  /** Paths of PEM files. */
  | { readonly kind: 'own'; readonly certificate: string; readonly key: string }

/** One word for every host that clients of the reference have built in. */
const everyHost = 'microsoft'
/** Where whoever is on this host finds the server, the agent beside it among them. */
const local = ['localhost', '127.0.0.1', '::1']

/** `listensAt`: a further name that a certificate of ours is for. @throws ConfigError for what does not go together. */
export function readTls(set: Settings, listensAt: string): Tls {
  const { tls = 'off', tlsNames, tlsCert, tlsKey, publicUrl } = set
  if ((tlsCert === undefined) !== (tlsKey === undefined))
    throw new ConfigError('--tls-cert and --tls-key go together')
  if (tlsCert !== undefined && tlsKey !== undefined) {
    if (tls === 'auto')
      throw new ConfigError('--tls auto makes a certificate, --tls-cert names one: not both')
    if (tlsNames !== undefined) throw new ConfigError('--tls-names is for --tls auto')
    return { kind: 'own', certificate: resolve(tlsCert), key: resolve(tlsKey) }
  }
  if (tls === 'off') {
    if (tlsNames !== undefined) throw new ConfigError('--tls-names is for --tls auto')
    return { kind: 'off' }
  }
  const given = (tlsNames ?? [hostname()]).flatMap((name) =>
    name === everyHost ? [...apiHosts, ...signInHosts] : [name],
  )
  const shown = publicUrl !== undefined && URL.canParse(publicUrl) ? [new URL(publicUrl).hostname] : []
  const names = [...shown, listensAt, ...local, ...given].map((name) => name.replace(/^\[(.*)\]$/, '$1'))
  return { kind: 'auto', names: [...new Set(names.map((name) => name.toLowerCase()))] }
}
