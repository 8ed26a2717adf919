/** Keys in files of the data folder, readable by their owner only. A key service would be this file's neighbour. */
import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import {
  CompactSign,
  EmbeddedJWK,
  SignJWT,
  calculateJwkThumbprint,
  compactVerify,
  exportJWK,
  generateKeyPair,
  importJWK,
  jwtVerify,
  type CompactJWSHeaderParameters,
  type CryptoKey,
  type JWK,
} from 'jose'
import { parseJson } from '@countermand/contract'
import type { KeyOf, Signer, VerifiedMessage } from '../app/ports.ts'
import { keepFile } from '../durable.ts'

/** Devices and orders; RSA is what every token client can check. */
const orderAlgorithm = 'EdDSA'
const tokenAlgorithm = 'RS256'

/** Opens, or makes on the first start, the three keys of this server: orders, API tokens, seals. */
export async function openSigner(folder: string, issuer: string): Promise<Signer> {
  const order = await keyPair(join(folder, 'order.jwk'), orderAlgorithm)
  const token = await keyPair(join(folder, 'token.jwk'), tokenAlgorithm)
  const seal = await sealKey(join(folder, 'seal.key'))
  return {
    orderThumbprint: order.thumbprint,
    signOrder: (payload, type) =>
      new CompactSign(Buffer.from(JSON.stringify(payload)))
        .setProtectedHeader({ alg: orderAlgorithm, typ: type, kid: order.thumbprint, jwk: order.public })
        .sign(order.private),
    verifyDevice,
    signToken: (claims, validMs, now) =>
      new SignJWT({ ...claims })
        .setProtectedHeader({ alg: tokenAlgorithm, typ: 'JWT', kid: token.thumbprint })
        .setIssuer(issuer)
        .setIssuedAt(now)
        .setNotBefore(now)
        .setExpirationTime(new Date(now.getTime() + validMs))
        .sign(token.private),
    verifyToken: async (text, now) => {
      try {
        const options = {
          issuer,
          algorithms: [tokenAlgorithm],
          // RFC 8725 3.11: nothing else that may one day be signed by this key is a token.
          typ: 'JWT',
          currentDate: now,
          requiredClaims: ['exp', 'aud'],
        }
        return (await jwtVerify(text, token.publicKey, options)).payload
      } catch {
        return null
      }
    },
    publicKeys: () => [{ ...token.public, kid: token.thumbprint, use: 'sig', alg: tokenAlgorithm }],
    ...seals(seal),
  }
}

/** The header names the device; its key is looked up, or, for a device that enrols, taken from the header itself. */
async function verifyDevice(jws: string, type: string, keyOf: KeyOf | null): Promise<VerifiedMessage | null> {
  try {
    let used: JWK | null = null
    const options = { algorithms: [orderAlgorithm] }
    const { payload, protectedHeader } = await compactVerify(
      jws,
      async (header: CompactJWSHeaderParameters) => {
        used = keyOf === null ? (header.jwk ?? null) : await keyOf(header.kid ?? '')
        if (used === null) throw new Error('no such device')
        return keyOf === null ? EmbeddedJWK(header) : importJWK(used, orderAlgorithm)
      },
      options,
    )
    if (protectedHeader.typ !== type || used === null) return null
    const key: JWK = used
    const bare = { kty: 'OKP', crv: 'Ed25519', x: key.x ?? '' }
    return {
      payload: parseJson(new TextDecoder().decode(payload)),
      key: bare,
      thumbprint: await calculateJwkThumbprint(bare),
    }
  } catch {
    // Whatever is wrong with it, it is not a message of ours.
    return null
  }
}

interface Pair {
  readonly private: CryptoKey
  readonly publicKey: CryptoKey
  readonly public: JWK
  readonly thumbprint: string
}

async function keyPair(file: string, algorithm: string): Promise<Pair> {
  if (!existsSync(file)) {
    const made = await generateKeyPair(algorithm, {
      extractable: true,
      ...(algorithm === 'RS256' && { modulusLength: 2048 }),
    })
    await keepFile(file, JSON.stringify(await exportJWK(made.privateKey)))
  }
  const secret: JWK = JSON.parse(await readFile(file, 'utf8'))
  const { kty, crv, x, n, e } = secret
  // Without the names that this kind of key has no value for.
  const shown: JWK = JSON.parse(JSON.stringify({ kty, crv, x, n, e }))
  return {
    private: await imported(secret, algorithm),
    publicKey: await imported(shown, algorithm),
    public: shown,
    thumbprint: await calculateJwkThumbprint(shown),
  }
}

async function imported(jwk: JWK, algorithm: string): Promise<CryptoKey> {
  const key = await importJWK(jwk, algorithm)
  if (key instanceof Uint8Array) throw new Error('A key file holds a symmetric key where a key pair belongs.')
  return key
}

async function sealKey(file: string): Promise<Buffer> {
  if (!existsSync(file)) await keepFile(file, randomBytes(32).toString('base64url'))
  return Buffer.from(await readFile(file, 'utf8'), 'base64url')
}

/** `base64url(until.subject)` + `.` + HMAC over it and its purpose. */
function seals(key: Buffer): Pick<Signer, 'seal' | 'unseal'> {
  const mark = (purpose: string, body: string): Buffer =>
    createHmac('sha256', key).update(`${purpose}\0${body}`).digest()
  return {
    seal: (purpose, subject, until) => {
      const body = Buffer.from(`${until.getTime()}.${subject}`).toString('base64url')
      return `${body}.${mark(purpose, body).toString('base64url')}`
    },
    unseal: (purpose, text, now) => {
      const [body = '', given = ''] = text.split('.')
      const right = mark(purpose, body)
      const shown = Buffer.from(given, 'base64url')
      if (shown.length !== right.length || !timingSafeEqual(shown, right)) return null
      const plain = Buffer.from(body, 'base64url').toString()
      const dot = plain.indexOf('.')
      return Number(plain.slice(0, dot)) > now.getTime() ? plain.slice(dot + 1) : null
    },
  }
}
