/** An agent without a server: journal, news and runner over one folder and one machine, orders given by hand. */
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { News, NewsItem, Reply } from '@countermand/contract'
import type { Host } from '../host/host.ts'
import { openJournal, type Journal } from '../journal.ts'
import { openNews, type NewsLog } from '../news.ts'
import { obey } from '../orders.ts'
import { recover } from '../recover.ts'
import { openDeparture, type Departure } from '../offboard/departure.ts'
import { together } from '../posture/open.ts'
import type { Standing } from '../posture/standing.ts'
import { openStandings } from './posture.ts'
import { openRunner, type Runner } from '../runner.ts'
import type { Transfer } from '../transfer.ts'
import { offerOf, replyOf, until, type Machine } from './fakes.ts'

export const genesis = 'G'.repeat(43)

export interface Parts {
  readonly journal: Journal
  readonly news: NewsLog
  readonly runner: Runner
  readonly host: Host
  /** Of its isolation. */
  readonly posture: Standing
  readonly departure: Departure
  /** How often it has asked for a sync. */
  readonly asked: () => number
  /** Obeys a reply, sent `ageSeconds` ago. */
  order(reply: Partial<Reply>, ageSeconds?: number | null): Promise<void>
  /** Offers an action, and waits until its script runs. */
  start(id: string, runLimitMs?: number): Promise<void>
  /** The news of an action so far. */
  told(id: string): readonly NewsItem[]
  /** Waits for the outcome, in the journal and told, and returns it. */
  outcome(id: string): Promise<News>
}

export interface PartsOptions {
  /** Stands between the script and its start: what the server is slow to send. */
  readonly fetch?: () => Promise<void>
  readonly deliver?: (content: Buffer) => Promise<void> | void
  /** Thumbprint of this incarnation's key. */
  readonly key?: string
  /** Puts something between the parts, to let them die. */
  readonly wrap?: <T extends object>(part: T, name: string) => T
}

/** A later agent on the same folder and machine recovers what an earlier one held. */
export async function openParts(
  folder: string,
  machine: Machine,
  options: PartsOptions = {},
): Promise<Parts> {
  const wrap = options.wrap ?? ((part) => part)
  const journal = wrap(await openJournal(folder), 'journal')
  const news = wrap(await openNews(folder, genesis, 0), 'news')
  const host = machine.host(folder)
  const scopes = wrap(host.scopes, 'scopes')
  const puts = wrap(host.puts, 'puts')
  const firewall = wrap(host.firewall, 'firewall')
  const byHash = wrap(host.byHash, 'byHash')
  const quarantine = wrap(host.quarantine, 'quarantine')
  let asked = 0
  const standings = (await openStandings(folder, machine, { news, firewall })).map((each) => ({
    ...each,
    standing: wrap(each.standing, 'posture'),
  }))
  const postures = together(standings, folder, () => undefined)
  const posture = standings[0]?.standing
  if (posture === undefined) throw new Error('nothing can stand')
  const departure = await openDeparture({
    journal,
    postures,
    keyThumbprint: options.key ?? genesis,
    host,
    log: () => undefined,
  })
  const runner = openRunner({
    journal,
    news,
    host: { ...host, scopes, puts, byHash, quarantine },
    transfer: wrap(fakeTransfer(options), 'transfer'),
    departure,
    syncSoon: () => (asked += 1),
    log: () => undefined,
  })
  await recover({ journal, news, runner })
  const retold = new Set<string>()
  const order: Parts['order'] = (given, ageSeconds = 0) => {
    const sentAt = ageSeconds === null ? null : machine.seconds - ageSeconds
    return obey(
      { journal, news, runner, host, retold, postures },
      { reply: replyOf(given), sentAt, isRepeated: false },
      'epoch-1',
    )
  }
  return {
    journal,
    news,
    runner,
    host,
    posture,
    departure,
    order,
    asked: () => asked,
    start: async (id, runLimitMs) => {
      await order({ offers: [offerOf(id, runLimitMs)] })
      await until('the script to run', () => machine.isAlive(id))
    },
    told: (id) => news.pending().filter(({ action }) => action === id),
    outcome: (id) => outcomeOf(id, { journal, news }),
  }
}

async function outcomeOf(id: string, { journal, news }: Pick<Parts, 'journal' | 'news'>): Promise<News> {
  const find = async (): Promise<News | null> => (await journal.find(id))?.outcome ?? null
  await until(`the outcome of ${id}`, async () => {
    const outcome = await find()
    return news.pending().some(({ action, kind }) => action === id && kind === outcome?.kind)
  })
  const outcome = await find()
  if (outcome === null) throw new Error(`${id} has been forgotten`)
  return outcome
}

const aborted = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => signal.addEventListener('abort', () => resolve()))

function fakeTransfer({ fetch, deliver }: PartsOptions): Transfer {
  return {
    fetch: async ({ folder, sha256 }, signal) => {
      await fetch?.()
      signal.throwIfAborted()
      const place = join(folder, `file-${sha256}`)
      await writeFile(place, 'id\n')
      return place
    },
    deliver: async ({ content }, signal) => {
      const chunks: Uint8Array[] = []
      for await (const chunk of content()) chunks.push(chunk)
      await Promise.race([deliver?.(Buffer.concat(chunks)), aborted(signal)])
      signal.throwIfAborted()
      return { sha256: 'b'.repeat(64), size: Buffer.concat(chunks).length }
    },
  }
}
