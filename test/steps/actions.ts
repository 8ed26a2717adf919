/** The actions of the table: how each is issued, how it is held at a step, and how it is let go. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readdirSync, readlinkSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { MachineAction } from '@countermand/contract'
import { textOf } from '../end-to-end/beats.ts'
import { processesWith } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import { endEvil, holdSearch, letGoSearch, makeEvil, placeTaken, startEvil, type Evil } from './quarantine.ts'
import type { Stage } from './stage.ts'

export interface Play {
  readonly stage: Stage
  /** Of this row alone: in names and command lines. */
  readonly word: string
  /** For its script, and the file that it fetches. */
  readonly folder: string
  readonly evil: Evil
  id: string
}

export const newFile = ({ word }: Play): string => `new-${word}`
export const oldFile = ({ word }: Play): string => `old-${word}`
export const asItWas = 'as it was'
export const strangers = 'somebody else’s'
export const putFolder = ({ stage }: Play): string => join(stage.world.device.dataFolder, 'put')

/** Three quarters of a part, and no two of its bytes alike, so that it takes its time on a slow line. */
const size = 3_000_000
const slow = { is: 'open', shape: { latencyMs: 0, bytesPerSecond: 400_000 } } as const

/** Ends when it is told to, or after a minute. */
const scriptText = `#!/bin/sh
# a wait in "$2"
n=0; while [ ! -e "$1/go" ] && [ $n -lt 1200 ]; do n=$((n + 1)); sleep 0.05; done
`

export function openPlay(stage: Stage, number: number): Play {
  const word = `row${number}-${process.pid}`
  const evil = makeEvil(stage, word)
  const play = { stage, word, folder: stage.world.scratch(word), evil, id: '' }
  writeFileSync(join(play.folder, 'wanted.bin'), randomBytes(size))
  mkdirSync(putFolder(play), { recursive: true })
  writeFileSync(join(putFolder(play), oldFile(play)), asItWas)
  return play
}

async function upload({ stage }: Play, name: string, content: string | Buffer<ArrayBuffer>): Promise<void> {
  const form = new FormData()
  form.set('file', new File([content], name))
  const { status } = await stage.world.api.ask('POST', '/api/libraryfiles', form)
  if (status !== 200) throw new Error(`the upload of ${name} was answered with ${status}`)
}

async function issue(play: Play, tail: string, body: object): Promise<void> {
  const { api, device } = play.stage.world
  const response = await api.ask('POST', `/api/machines/${device.machineId}/${tail}`, body)
  const text = await response.text()
  if (response.status !== 201) throw new Error(`${response.status} ${text}`)
  const { id }: MachineAction = JSON.parse(text)
  play.id = id
}

const command = (type: string, ...params: readonly (readonly [string, string])[]): object => ({
  type,
  params: params.map(([key, value]) => ({ key, value })),
})

async function issueResponse(play: Play): Promise<void> {
  const { folder, word } = play
  await upload(play, newFile(play), randomBytes(size))
  await upload(play, oldFile(play), 'as it is put')
  await upload(play, `wait-${word}.sh`, scriptText)
  const Commands = [
    command('PutFile', ['FileName', newFile(play)]),
    command('PutFile', ['FileName', oldFile(play)]),
    command('RunScript', ['ScriptName', `wait-${word}.sh`], ['Args', `${folder} ${word}`]),
    command('GetFile', ['Path', join(folder, 'wanted.bin')]),
  ]
  await issue(play, 'runliveresponse', { Comment: word, Commands })
}

const issuePackage = (play: Play): Promise<void> =>
  issue(play, 'collectInvestigationPackage', { Comment: play.word })
const issueScan = (play: Play): Promise<void> =>
  issue(play, 'runAntiVirusScan', { Comment: play.word, ScanType: 'Quick' })

const issueOffboarding = (play: Play): Promise<void> => issue(play, 'offboard', { Comment: play.word })
const issueQuarantine = (play: Play): Promise<void> =>
  issue(play, 'StopAndQuarantineFile', { Comment: play.word, Sha1: play.evil.sha1 })

export const issueBy: Readonly<Record<string, (play: Play) => Promise<void>>> = {
  response: issueResponse,
  package: issuePackage,
  scan: issueScan,
  offboard: issueOffboarding,
  quarantine: issueQuarantine,
}

const seen = ({ stage, id }: Play, what: string, isSo: (action: MachineAction) => boolean) =>
  stage.world.api.untilAction(id, what, isSo)

/** Brings an action to a step, and holds it there. */
const steps: Readonly<Record<string, (play: Play, issueIt: () => Promise<void>) => Promise<void>>> = {
  'waiting for its device': async ({ stage }, issueIt) => {
    await stage.world.device.program.kill()
    await issueIt()
  },
  'fetching its first file': async (play, issueIt) => {
    play.stage.proxy.set(slow)
    await issueIt()
    await seen(play, 'offered', ({ countermand }) => countermand.phase === 'offered')
    await pause(1_000)
  },
  'running its script': async (play, issueIt) => {
    await issueIt()
    await seen(play, 'its script runs', ({ commands }) => commands[2]?.startTime != null)
    await until('the script to run', () => processesWith(play.word).length > 0)
  },
  'after its first file': (play, issueIt) => dying(play, issueIt, 'step-over'),
  'before its second file': (play, issueIt) => dying(play, issueIt, 'step-begun'),
  'before its commit point': (play, issueIt) => dying(play, issueIt, 'postures-off'),
  'past its commit point': (play, issueIt) => dying(play, issueIt, 'committed'),
  'giving its key up': (play, issueIt) => dying(play, issueIt, 'key-doomed'),
  'without its key': (play, issueIt) => dying(play, issueIt, 'key-destroyed'),
  'taking its files back': async (play, issueIt) => {
    await armed(play, 'undone')
    await issueIt()
    await seen(play, 'its script runs', ({ commands }) => commands[2]?.startTime != null)
    await play.stage.world.api.cancel(play.id)
    await play.stage.world.device.program.gone()
  },
  'sending its file': async (play, issueIt) => {
    await steps['running its script']?.(play, issueIt)
    play.stage.proxy.set(slow)
    letGo(play)
    await seen(play, 'sending', ({ commands }) => commands[3]?.startTime != null)
    await pause(500)
  },
  'looking for its file': async (play, issueIt) => {
    await steps['running its script']?.(play, issueIt)
    rmSync(join(play.folder, 'wanted.bin'))
    letGo(play)
  },
  collecting: async (play, issueIt) => {
    play.stage.hold(true)
    await issueIt()
    await seen(play, 'collecting', ({ countermand }) => countermand.phase === 'running')
    await until('the collector to be held', () => processesWith('/usr/bin/sha256sum').length > 0)
  },
  sending: async (play, issueIt) => {
    await steps.collecting?.(play, issueIt)
    play.stage.proxy.set({ ...slow, shape: { ...slow.shape, bytesPerSecond: 40_000 } })
    play.stage.hold(false)
    await seen(play, 'sending', ({ countermand }) => countermand.phase === 'settling')
    await pause(500)
  },
  scanning: async (play, issueIt) => {
    play.stage.hold(true)
    await issueIt()
    await seen(play, 'scanning', ({ countermand }) => countermand.phase === 'running')
    await until('the scanner to run', () => processesWith(play.stage.signatures).length > 1)
  },
  searching: async (play, issueIt) => {
    holdSearch(play.evil)
    await issueIt()
    await seen(play, 'its search', ({ countermand }) => countermand.phase === 'running')
    await until('the search', () => isRead(play))
  },
  'with what runs stopped': (play, issueIt) => dyingWithEvil(play, issueIt, 'processes-frozen'),
  'with what ran killed': (play, issueIt) => dyingWithEvil(play, issueIt, 'processes-killed'),
  'with its file on its way': (play, issueIt) => dyingWithEvil(play, issueIt, 'quarantine-aside'),
  'with its file in quarantine': (play, issueIt) => dyingWithEvil(play, issueIt, 'quarantine-kept'),
  over: async (play, issueIt) => {
    await issueIt()
    letGo(play)
    await play.stage.world.api.untilOver(play.id)
  },
}

export async function bringTo(step: string, play: Play, issueIt: () => Promise<void>): Promise<void> {
  const bring = steps[step]
  if (bring === undefined) throw new Error(`nobody knows how to bring an action to: ${step}`)
  await bring(play, issueIt)
}

async function armed({ stage }: Play, point: string): Promise<void> {
  await stage.world.device.program.leave()
  stage.arm(point)
  await stage.world.device.start()
  stage.arm(null)
}

async function dying(play: Play, issueIt: () => Promise<void>, point: string): Promise<void> {
  await armed(play, point)
  await issueIt()
  await play.stage.world.device.program.gone()
}

async function dyingWithEvil(play: Play, issueIt: () => Promise<void>, point: string): Promise<void> {
  await startEvil(play.evil)
  await dying(play, issueIt, point)
}

/** The agent has the long file open. */
function isRead({ stage, evil }: Play): boolean {
  const open = `/proc/${stage.world.device.program.pid}/fd`
  return readdirSync(open).some((fd) => linkOf(`${open}/${fd}`) === evil.long)
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** Nothing is held any more. */
export function letGo({ stage, folder, evil }: Play): void {
  letGoSearch(evil)
  if (existsSync(folder)) writeFileSync(join(folder, 'go'), '')
  stage.hold(false)
}

export function restore(play: Play): void {
  play.stage.proxy.set({ is: 'open' })
  letGo(play)
}

/** What a row has started. */
export const endPlay = ({ evil }: Play): void => endEvil(evil)

const agentDies = ({ stage }: Play): Promise<void> => stage.world.device.program.kill()
const serverDies = ({ stage }: Play): Promise<void> => stage.world.server.kill()
const cancel = async ({ stage, id }: Play): Promise<number> => (await stage.world.api.cancel(id)).status

/** What comes between; the statuses with which cancels were answered. */
export const between: Readonly<Record<string, (play: Play) => Promise<readonly number[]>>> = {
  'a cancel': async (play) => [await cancel(play)],
  'a cancel, twice': (play) => Promise.all([cancel(play), cancel(play)]),
  'its limit': () => Promise.resolve([]),
  'that there is none': () => Promise.resolve([]),
  'the agent’s death': (play) => agentDies(play).then(() => []),
  'the agent’s death, a cancel': async (play) => {
    await agentDies(play)
    return [await cancel(play)]
  },
  'the agent’s death, a cancel, twice': async (play) => {
    await agentDies(play)
    return Promise.all([cancel(play), cancel(play)])
  },
  'the server’s death': async (play) => {
    await serverDies(play)
    await play.stage.world.startServer()
    return []
  },
  'the server’s death, a cancel': async (play) => {
    await serverDies(play)
    await play.stage.world.startServer()
    return [await cancel(play)]
  },
  'a stranger’s file in the place of the second, a cancel': async (play) => {
    const place = join(putFolder(play), oldFile(play))
    writeFileSync(`${place}.strange`, strangers)
    renameSync(`${place}.strange`, place)
    return [await cancel(play)]
  },
  'a stranger’s file in its place, a cancel': async (play) => {
    writeFileSync(play.evil.path, placeTaken)
    return [await cancel(play)]
  },
  'a cut of the connection': async ({ stage }) => {
    stage.proxy.set({ is: 'cut' })
    await pause(300)
    return []
  },
  'the scanner’s death': async ({ stage }) => {
    for (const pid of processesWith(stage.signatures))
      if (/clamscan|^sh$/.test(textOf(`/proc/${pid}/comm`).trim()) && !isWrapper(pid))
        process.kill(pid, 'SIGKILL')
    return Promise.resolve([])
  },
}

/** The agent's own shell around what it starts. */
const isWrapper = (pid: number): boolean => textOf(`/proc/${pid}/cmdline`).includes('countermand-wrapper')
