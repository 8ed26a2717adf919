/** What a playbook does with one device of a rehearsal. */
import assert from 'node:assert/strict'
import type { Machine, MachineAction } from '@countermand/contract'
import { isOver } from '../end-to-end/api.ts'
import { until } from '../end-to-end/program.ts'
import type { Stage } from './stage.ts'

const withinMs = 180_000
const runScript = { Commands: [{ type: 'RunScript', params: [{ key: 'ScriptName', value: 'run.sh' }] }] }
const full = { IsolationType: 'Full' }

export interface Refused {
  readonly error: { readonly code: string; readonly message: string }
}

interface Answer<Body> {
  readonly status: number
  readonly body: Body
}

export class Playbook {
  private readonly device: string
  private readonly stage: Stage

  constructor(stage: Stage, device: string) {
    this.stage = stage
    this.device = device
  }

  respond(scenario: string, more: object = {}): Promise<MachineAction> {
    return this.ask('runliveresponse', scenario, { ...runScript, ...more })
  }

  isolate(scenario = 'nothing'): Promise<MachineAction> {
    return this.ask('isolate', scenario, full)
  }

  ask(tail: string, scenario: string, more: object = {}): Promise<MachineAction> {
    return this.stage.issue(this.device, tail, { Comment: `rehearse ${scenario}`, ...more })
  }

  async cancel<Body = MachineAction>(
    { id }: MachineAction,
    comment = 'wrong button',
    more: object = {},
  ): Promise<Answer<Body>> {
    const body = { Comment: comment, ...more }
    const answer = await this.stage.api.ask('POST', `/api/machineactions/${id}/cancel`, body)
    return { status: answer.status, body: JSON.parse(await answer.text()) as Body }
  }

  /** @throws Error for an answer that is not 200 */
  async cancelled(action: MachineAction, comment?: string): Promise<MachineAction> {
    const { status, body } = await this.cancel(action, comment)
    assert.equal(status, 200, JSON.stringify(body))
    return body
  }

  now({ id }: MachineAction): Promise<MachineAction> {
    return this.stage.api.action(id)
  }

  async in(action: MachineAction, ...phases: readonly string[]): Promise<MachineAction> {
    return this.when(action, phases.join(' or '), ({ countermand }) => phases.includes(countermand.phase))
  }

  over(action: MachineAction): Promise<MachineAction> {
    return this.when(action, 'over', isOver)
  }

  /** What was heard of it after its end is known. */
  late(action: MachineAction): Promise<MachineAction> {
    return this.when(action, 'told of late', ({ countermand }) => countermand.lateOutcome !== null)
  }

  when(
    { id }: MachineAction,
    what: string,
    isSo: (action: MachineAction) => boolean,
  ): Promise<MachineAction> {
    return until(
      `${id} to be ${what}`,
      async () => {
        const now = await this.stage.api.action(id)
        if (isSo(now)) return now
        throw new Error(JSON.stringify(now))
      },
      { withinMs, everyMs: 100 },
    )
  }

  async isolation(): Promise<Machine['countermand']['isolation']> {
    const answer = await this.stage.api.ask('GET', `/api/machines/${this.stage.machines.get(this.device)}`)
    const machine: Machine = JSON.parse(await answer.text())
    return machine.countermand.isolation
  }

  /** Kinds of the alarms that were raised over it. */
  async alarms({ id }: MachineAction): Promise<readonly string[]> {
    const query = `actionId=${id}&alarm=true&after=0&follow=false`
    const answer = await this.stage.api.ask('GET', `/api/countermand/events?${query}`)
    const text = await answer.text()
    assert.equal(answer.status, 200, text)
    return [...text.matchAll(/^event: ?(.+)$/gm)].map(([, kind = '']) => kind)
  }
}
