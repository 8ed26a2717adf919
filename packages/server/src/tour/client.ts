/** The few calls that the tour makes, each shown with its answer. */
export interface Action {
  readonly id: string
  readonly status: string
  readonly countermand: Readonly<Record<string, unknown>>
}
export interface Entry {
  readonly sequence: number
  readonly at: string
  readonly kind: string
  readonly actor: string | null
  readonly statement: string | null
}

export const say = (line = ''): void => console.log(line)
export const show = (value: unknown): void => say(JSON.stringify(value, null, 2))

export type Api = <T>(method: string, path: string, body?: object) => Promise<T>

/** A client by one token. @throws Error with the server's own words for any refusal. */
export const client =
  (base: string, token: string): Api =>
  async (method, path, body) => {
    say(`${method} ${base}${path}`)
    const isForm = body instanceof FormData
    const sent = isForm ? body : JSON.stringify(body)
    if (body !== undefined && !isForm) say(`  ${JSON.stringify(body)}`)
    const headers = {
      authorization: `Bearer ${token}`,
      ...(!isForm && { 'content-type': 'application/json' }),
    }
    return answerOf(await fetch(base + path, { method, headers, ...(sent !== undefined && { body: sent }) }))
  }

export async function answerOf<T>(response: Response): Promise<T> {
  const text = await response.text()
  say(`→ ${response.status}`)
  if (!response.ok) throw new Error(text)
  const answer: T = JSON.parse(text)
  return answer
}

/** Of an entity that was shown before, only what has changed since: the eye should find it at once. */
export function showChange(before: object, now: object): void {
  const was = new Map(Object.entries(before))
  const changed = Object.entries(now).filter(
    ([key, value]) => JSON.stringify(value) !== JSON.stringify(was.get(key)),
  )
  show(Object.fromEntries(changed))
  say('  (the rest is as before)')
}
