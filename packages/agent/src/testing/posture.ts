/** A posture over a folder and a machine, with its clock in the test's hands. */
import type { Aspect, News, Passage, Posture as Document } from '@countermand/contract'
import type { Firewall } from '../host/firewall/types.ts'
import { openIsolation, barrierOf } from '../posture/isolation.ts'
import { controlsOf, type Control } from '../posture/control.ts'
import { postureFile } from '../posture/posture-file.ts'
import { Posture, type PostureParts } from '../posture/posture.ts'
import { releasedFile } from '../posture/released-file.ts'
import { openStanding, type Standing } from '../posture/standing.ts'
import { openRestriction } from '../posture/restriction.ts'
import type { NewsLog } from '../news.ts'
import { newId, type Machine } from './fakes.ts'

const server = 'https://server.example'

/** One aspect of a machine, in words that are the same for each. */
export interface Ground {
  readonly control: Control
  /** How often what is applied will fail from now on; `active`: of what does not lift. */
  readonly refuse: (times: number, which?: 'active' | 'all') => void
  /** Called at the beginning of each that is applied. */
  readonly before: (call: () => Promise<void> | void) => void
  /** What the machine has; and what it would have by this document. */
  readonly has: () => unknown
  readonly as: (document: Document) => unknown
  /** What was applied, in order. */
  readonly applied: () => readonly unknown[]
  readonly watching: () => number
  /** There is no tool for it. */
  readonly lacks: (tool: string) => void
  /** Somebody takes it away; unseen, nobody calls. */
  readonly takeAway: (isSeen?: boolean) => void
  /** What a drift of that kind is told as. */
  readonly gone: string
  readonly full: (generation: number) => Document
  readonly free: (generation: number, withdrawn?: string[], action?: string | null) => Document
}

export const grounds: Readonly<Record<Aspect, (machine: Machine) => Ground>> = {
  isolation: ({ firewall }) => ({
    control: openIsolation(firewall, server),
    refuse: (failing, which = 'all') =>
      Object.assign(firewall, { failing, fails: (barrier: unknown) => which === 'all' || barrier !== null }),
    before: (before) => Object.assign(firewall, { before }),
    has: () => firewall.kernel,
    as: (document) => barrierOf(document, server),
    applied: () => firewall.applied,
    watching: () => firewall.watching,
    lacks: (missing) => Object.assign(firewall, { missing }),
    takeAway: (isSeen = true) => (isSeen ? firewall.flush() : Object.assign(firewall, { kernel: null })),
    gone: 'the table is gone',
    full: (generation) => full(generation),
    free,
  }),
  restriction: ({ execution }) => ({
    control: openRestriction(execution),
    refuse: (failing, which = 'all') =>
      Object.assign(execution, {
        failing,
        fails: (isRestricted: boolean) => which === 'all' || isRestricted,
      }),
    before: (before) => Object.assign(execution, { before }),
    has: () => execution.isRestricted,
    as: ({ type }) => type !== 'None',
    applied: () => execution.applied,
    watching: () => execution.watching,
    lacks: (detail) => Object.assign(execution, { inTheWay: { why: 'missing_tool', detail } }),
    takeAway: (isSeen = true) =>
      isSeen ? execution.kill() : Object.assign(execution, { isRestricted: false }),
    gone: 'the daemon is gone',
    full: (generation) => ({ generation, action: newId(), type: 'Full', withdrawn: [] }),
    free: (generation, withdrawn = [], action = null) => ({ generation, action, type: 'None', withdrawn }),
  }),
}

/** Of an isolation, where no other control is given. */
export const openPosture = (
  folder: string,
  machine: Machine,
  given: Pick<PostureParts, 'news'> & Partial<PostureParts>,
): Promise<Posture> => {
  const control = given.control ?? openIsolation(machine.firewall, server)
  return Posture.open({
    control,
    file: postureFile(folder, control.aspect),
    released: releasedFile(folder, control.aspect),
    host: {
      bootSeconds: () => machine.seconds,
      bootId: () => machine.bootId,
      now: () => new Date(machine.seconds * 1000).toISOString(),
    },
    whyNot: () => Promise.resolve(null),
    syncSoon: () => undefined,
    log: () => undefined,
    ...given,
  })
}

export type Standings = readonly { readonly control: Control; readonly standing: Standing }[]

/** Every aspect of a machine, isolation first. */
export async function openStandings(
  folder: string,
  machine: Machine,
  {
    firewall = machine.firewall,
    ...given
  }: Parameters<typeof openPosture>[2] & { readonly firewall?: Firewall },
): Promise<Standings> {
  const found: { control: Control; standing: Standing }[] = []
  for (const control of controlsOf({ firewall, execution: machine.execution }, server)) {
    const [file, released] = [postureFile(folder, control.aspect), releasedFile(folder, control.aspect)]
    const open = () => openPosture(folder, machine, { ...given, control })
    const standing = await openStanding({ control, file, released, open, syncSoon: () => undefined })
    found.push({ control, standing })
  }
  return found
}

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

const passage: Passage = { allow: [], confirm: 'revert', server: ['192.0.2.1'] }

export const full = (
  generation: number,
  given: Partial<Pick<Document, 'type' | 'action'> & Passage> = {},
): Document => {
  const { type = 'Full', action = newId(), ...rest } = given
  return { generation, action, type, passage: { ...passage, ...rest }, withdrawn: [] }
}

export const free = (
  generation: number,
  withdrawn: string[] = [],
  action: string | null = null,
): Document => ({ ...full(generation, { type: 'None', action }), withdrawn })
