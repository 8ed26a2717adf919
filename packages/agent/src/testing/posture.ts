/** A posture over a folder and a machine, with its clock in the test's hands. */
import type { News, Posture as Document } from '@countermand/contract'
import { postureFile } from '../posture/posture-file.ts'
import { Posture, type PostureParts } from '../posture/posture.ts'
import { releasedFile } from '../posture/released-file.ts'
import type { NewsLog } from '../news.ts'
import { newId, type Machine } from './fakes.ts'

export const openPosture = (
  folder: string,
  machine: Machine,
  given: Pick<PostureParts, 'news'> & Partial<PostureParts>,
): Promise<Posture> =>
  Posture.open({
    file: postureFile(folder),
    released: releasedFile(folder),
    firewall: machine.firewall,
    host: {
      bootSeconds: () => machine.seconds,
      bootId: () => machine.bootId,
      now: () => new Date(machine.seconds * 1000).toISOString(),
    },
    server: 'https://server.example',
    whyNot: () => Promise.resolve(null),
    pin: () => undefined,
    syncSoon: () => undefined,
    log: () => undefined,
    ...given,
  })

/** News that only remembers. It outlives the agents that use it. */
export class Told implements Pick<NewsLog, 'tell' | 'isPending'> {
  items: News[] = []
  private heard = 0

  tell(news: News): Promise<void> {
    this.items.push(news)
    return Promise.resolve()
  }

  isPending(action: string, kind?: string): boolean {
    return this.items
      .slice(this.heard)
      .some((item) => item.action === action && (kind === undefined || item.kind === kind))
  }

  acknowledge(): void {
    this.heard = this.items.length
  }

  /** In short: kind and outcome. */
  of(action: string): string[] {
    return this.items
      .filter((item) => item.action === action)
      .map((item) => (item.kind === 'finished' ? `${item.kind} ${item.outcome}` : item.kind))
  }
}

export const full = (generation: number, given: Partial<Document['isolation']> = {}): Document => ({
  generation,
  isolation: { action: newId(), type: 'Full', allow: [], confirm: 'revert', ...given },
  server: ['192.0.2.1'],
  withdrawn: [],
})

export const free = (
  generation: number,
  withdrawn: string[] = [],
  action: string | null = null,
): Document => ({
  ...full(generation, { type: 'None', action }),
  withdrawn,
})
