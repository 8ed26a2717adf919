/** The server's API, as the rehearsal itself uses it. */
import { scope } from '../packages/server/src/tour/script.ts'
import type { Credentials } from '../packages/server/src/start/credentials.ts'

/** A token is asked for anew before it is over. */
const renewBeforeMs = 60_000

/** An answer that is no success, in the server's words. */
export class Refused extends Error {
  readonly status: number

  constructor(status: number, message: string) {
    super(message)
    this.status = status
  }
}

export interface Api {
  /** @throws Refused */
  ask<T>(method: string, path: string, body?: object): Promise<T>
  /** What goes into the header `authorization`. */
  bearer(): Promise<string>
  /** With a token. Whoever asks reads the answer. */
  open(path: string, signal: AbortSignal): Promise<Response>
}

type Known = Pick<Credentials, 'apiUrl' | 'tokenUrl' | 'clientId' | 'clientSecret'>

export function openApi(known: Known): Api {
  let token: { readonly text: string; readonly until: number } | null = null
  const bearer = async (): Promise<string> => {
    if (token === null || token.until < Date.now() + renewBeforeMs) token = await newToken(known)
    return `Bearer ${token.text}`
  }
  return {
    bearer,
    ask: async <T>(method: string, path: string, body?: object) => {
      const isForm = body instanceof FormData
      const headers = {
        authorization: await bearer(),
        ...(!isForm && { 'content-type': 'application/json' }),
      }
      const sent = body === undefined ? {} : { body: isForm ? body : JSON.stringify(body) }
      const response = await fetch(known.apiUrl + path, { method, headers, ...sent })
      const text = await response.text()
      if (!response.ok) throw new Refused(response.status, `${method} ${path} → ${response.status}: ${text}`)
      const answer: T = JSON.parse(text)
      return answer
    },
    open: async (path, signal) =>
      fetch(known.apiUrl + path, { headers: { authorization: await bearer() }, signal }),
  }
}

async function newToken({
  tokenUrl,
  clientId,
  clientSecret,
}: Known): Promise<{ text: string; until: number }> {
  const form = {
    grant_type: 'client_credentials',
    client_id: clientId,
    client_secret: clientSecret,
    scope,
  }
  const response = await fetch(tokenUrl, { method: 'POST', body: new URLSearchParams(form) })
  const text = await response.text()
  if (!response.ok) throw new Error(`No token: ${text}`)
  const { access_token, expires_in }: { access_token: string; expires_in: number } = JSON.parse(text)
  return { text: access_token, until: Date.now() + expires_in * 1_000 }
}
