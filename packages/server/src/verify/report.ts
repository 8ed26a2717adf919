/** What was found, in words for whoever has to act on it. */
import { serverChain } from '../core/chain.ts'
import { meanings } from './fault.ts'
import type { ChainReport, Counts } from './verify.ts'

const number = (count: number): string => count.toLocaleString('en')
const many = (count: number, one: string, more = `${one}s`): string =>
  `${number(count)} ${count === 1 ? one : more}`

const nameOf = ({ chain, name }: ChainReport): string =>
  chain === serverChain ? 'the server itself' : `device ${name === null ? '' : `${name} `}(${chain})`

/** The lines of one chain. */
export function linesOf(report: ChainReport): readonly string[] {
  const { fault, counts } = report
  const { events, actions, statements, news } = counts
  const said = `${many(statements, 'statement')} with ${many(news, 'item')} of news`
  if (fault === null) {
    return [`${nameOf(report)}: ${many(events, 'event')}, ${many(actions, 'action')}, ${said}`]
  }
  return [
    `${nameOf(report)}: FAULT, ${fault.kind}`,
    `    where:  ${fault.where}`,
    `    what:   ${fault.message}`,
    `    means:  ${meanings[fault.kind]}`,
    `    The first fault of its chain; the ${many(events, 'event')} before it are in order, what comes after it was not judged.`,
  ]
}

export class Totals {
  private chains = 0
  private faults = 0
  private sum: Counts = { events: 0, actions: 0, statements: 0, news: 0 }

  add({ counts, fault }: ChainReport): void {
    this.chains += 1
    if (fault !== null) this.faults += 1
    this.sum = {
      events: this.sum.events + counts.events,
      actions: this.sum.actions + counts.actions,
      statements: this.sum.statements + counts.statements,
      news: this.sum.news + counts.news,
    }
  }

  get isWhole(): boolean {
    return this.faults === 0
  }

  /** `agents`: how many data folders of agents were compared. */
  line(agents: number): string {
    const { events, actions, statements } = this.sum
    const seen = `${many(events, 'event')} in ${many(this.chains, 'chain')}, ${many(statements, 'statement')}, ${many(actions, 'action')}`
    if (!this.isWhole)
      return `NOT verified: ${many(this.faults, 'chain')} of ${number(this.chains)} with a fault`
    const beside =
      agents === 0
        ? 'no agent’s data folder beside them'
        : `${many(agents, 'agent’s data folder', 'agents’ data folders')} compared`
    return `verified: ${seen}; ${beside}`
  }
}
