/** What a reply may ask for again and again: each answer is given once, and once more, and not for ever. */
import type { News } from '@countermand/contract'
import type { NewsLog } from '../news.ts'

/** A server that asks again after it had acknowledged the answer has not understood: once more is enough, for one run. */
const most = 2

export class Withdrawn {
  private readonly told = new Map<string, number>()
  private readonly news: Pick<NewsLog, 'isPending'>
  private readonly toTell: () => readonly News[]

  constructor(news: Pick<NewsLog, 'isPending'>, toTell: () => readonly News[]) {
    this.news = news
    this.toTell = toTell
  }

  /** A server with another history has heard nothing. */
  forget(): void {
    this.told.clear()
  }

  /** What is to be said now of actions whose cancel waits for a posture without them. */
  of(ids: readonly string[], kind: 'cancel_acknowledged' | 'reverted'): News[] {
    return this.unheard(
      ids.map((action) => (kind === 'reverted' ? { kind, action, commands: [] } : { kind, action })),
    )
  }

  /** Without what is on its way, or has been said often enough. Nothing counts as said before `said`. */
  unheard(news: readonly News[]): News[] {
    return news.filter((item) => !this.isOnItsWay(item) && (this.told.get(wordOf(item)) ?? 0) < most)
  }

  said(news: readonly News[]): void {
    for (const item of news) this.told.set(wordOf(item), (this.told.get(wordOf(item)) ?? 0) + 1)
  }

  private isOnItsWay({ action, kind }: News): boolean {
    if (this.news.isPending(action, kind)) return true
    return this.toTell().some((item) => item.action === action && item.kind === kind)
  }
}

const wordOf = (item: News): string =>
  `${item.action} ${item.kind} ${item.kind === 'finished' ? item.outcome : ''}`
