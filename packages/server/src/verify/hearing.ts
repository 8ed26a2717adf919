/** One statement as the cause of events: each of them must be what the device said in it, and none may be left out. */
import type { NewsItem, Statement } from '@countermand/contract'
import type { ActionEvent } from '../core/action-shape.ts'
import { isSame } from './chain.ts'
import { Fault, type FaultKind } from './fault.ts'
import type { Origin } from './replay.ts'

/** The only news that may change nothing and then leaves no event (`core/history.ts`). */
export const leavesNoTrace = ({ kind }: Pick<NewsItem, 'kind'>): boolean => kind === 'cancel_acknowledged'

export class Hearing {
  readonly digest: string
  readonly statement: Statement
  /** What is new in it and has not shown in an event yet. */
  private news: readonly NewsItem[]

  constructor(digest: string, statement: Statement, news: readonly NewsItem[]) {
    this.digest = digest
    this.statement = statement
    this.news = news
  }

  /** @throws Fault where the statement does not say this of the action. */
  proves(id: string, event: ActionEvent, { origin, where }: { origin: Origin; where: string }): void {
    const isHeld = this.statement.held.some((held) => held.id === id)
    switch (origin) {
      case 'news':
        return this.next(
          where,
          `"${event.kind}" of action ${id}`,
          ({ n: _n, previous: _previous, at: _at, ...said }) => isSame(said, { ...event, action: id }),
        )
      case 'held':
      case 'absent':
        if (isHeld === (origin === 'held')) return
        throw new Fault(
          'forged statement',
          where,
          `its statement ${isHeld ? 'lists' : 'does not list'} the action`,
        )
      case 'sync':
        return
      case 'server':
        throw new Fault('forged statement', where, 'it names a statement for what no device says')
    }
  }

  /** The next item of news must be the one that fits. */
  next(where: string, what: string, isIt: (item: NewsItem) => boolean): void {
    for (const item of this.news) {
      this.news = this.news.slice(1)
      if (isIt(item)) return
      if (leavesNoTrace(item)) continue
      const instead = `its statement's news ${item.n} is "${item.kind}" of action ${item.action}`
      throw new Fault('forged statement', where, `it records ${what} otherwise than it was said: ${instead}`)
    }
    throw new Fault('forged statement', where, `its statement does not say ${what}, or not with these words`)
  }

  /** Of two histories: nothing more of it was taken. */
  dropped(): void {
    this.news = []
  }

  /** Everything it said must have shown. */
  close(kind: FaultKind, where: string): void {
    const silent = this.news.find((item) => !leavesNoTrace(item))
    if (silent === undefined) return
    const what = `the statement ${this.digest} brought news ${silent.n}, "${silent.kind}" of action ${silent.action}, and no event tells of it`
    throw new Fault(kind, where, what)
  }
}
