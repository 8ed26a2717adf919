/** Every row of `docs/steps.md`, with a real server, a real agent and real programs. */
import assert from 'node:assert/strict'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import type { MachineAction } from '@countermand/contract'
import { seed } from '../../packages/server/src/testing/dice.ts'
import { isOver } from '../end-to-end/api.ts'
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { groupsOf, processesWith } from '../end-to-end/fixture.ts'
import { until } from '../end-to-end/program.ts'
import { assertVerified } from '../faults/acts.ts'
import { needs } from '../needs.ts'
import {
  asItWas,
  between,
  bringTo,
  endPlay,
  issueBy,
  newFile,
  oldFile,
  openPlay,
  putFolder,
  restore,
  strangers,
  type Play,
} from './actions.ts'
import { assertEvilLeft } from './quarantine.ts'
import { openStage, type Stage } from './stage.ts'
import { rowsToPlay, type Row } from './table.ts'

const timeout = 120_000
const rows = rowsToPlay('what runs')
const isLimited = ({ comes }: Row): boolean => comes === 'its limit'
const short = 'LiveResponse=3,GetFile=3,CollectInvestigationPackage=3,RunAntiVirusScan=3'
const isAble = needs('root') && needs('cgroup2') && needs('clamscan')

const groups = [
  ['as they come', [], rows.filter((row) => !isLimited(row))],
  ['with short limits', ['--run-limits', short], rows.filter(isLimited)],
] as const

describe.skipIf(!isAble).each(groups.filter(([, , some]) => some.length > 0))(
  'the steps of actions, %s',
  (_name, flags, some) => {
    let stage: Stage
    beforeAll(async () => {
      console.log(`COUNTERMAND_SEED=${seed}`)
      stage = await openStage(flags)
    }, timeout)
    afterAll(async () => stage?.close(), timeout)
    let play: Play
    // What one row has broken is not the next one's trouble.
    afterEach(async () => {
      const { world } = stage
      restore(play)
      endPlay(play)
      if (!isUp(() => world.server.pid)) await world.startServer()
      if (isGone(play)) await world.enrolAgain()
      if (!isUp(() => world.device.program.pid)) await world.device.start()
      if (play.id === '' || isOver(await world.api.action(play.id))) return
      await world.api.cancel(play.id)
      await world.api.untilOver(play.id)
    }, timeout)

    test.each(some)('$number: a $action, $at; then $comes: $status', { timeout }, async (row) => {
      play = openPlay(stage, row.number)
      const { world } = stage
      if (!isUp(() => world.device.program.pid)) await world.device.start()
      const secret = secretOf(play)
      const issueIt = issueBy[row.action]
      const happen = between[row.comes]
      assert.ok(issueIt && happen, `nobody knows ${row.action} and ${row.comes}`)
      await bringTo(row.at, play, () => issueIt(play))
      const answers = await happen(play)
      expect(answers.every((status) => status === (row.at === 'over' ? 400 : 200))).toBe(true)
      // A limit has to come by itself.
      if (isLimited(row))
        await world.api.untilAction(play.id, 'its limit', ({ status }) => status === 'TimeOut')
      // What was cancelled ends while it is held; the rest is let go.
      if (row.status !== 'Cancelled' && row.left !== 'residue') restore(play)
      // One that leaves may be gone before anybody sees that it was there.
      if (row.left === 'no identity') await world.device.program.gone().then(() => world.device.startAlone())
      else if (!isUp(() => world.device.program.pid)) await world.device.start()
      const action = await world.api.untilOver(play.id)
      restore(play)
      assertRow(row, action)
      await (row.left === 'no identity' ? assertGone(play, secret) : assertLeft(row, play, action))
      await assertVerified(world)
    })
  },
)

function assertRow(row: Row, { status, countermand, commands }: MachineAction): void {
  const found = {
    status,
    proof: countermand.proof,
    commands: commands.map(({ commandStatus }) => commandStatus),
  }
  const { proof, commands: states } = row
  assert.deepEqual(
    found,
    { status: row.status, proof, commands: states },
    JSON.stringify({ countermand, commands }),
  )
  if (status === 'Cancelled')
    for (const { commandStatus, errors } of commands)
      if (commandStatus === 'Failed') assert.deepEqual(errors, ['cancelled'])
  const { residues } = countermand.effect
  assert.deepEqual(residues.length, row.left === 'residue' ? 1 : 0, residues.join())
}

const textIn = (path: string): string => readFileSync(path, 'utf8')

async function assertLeft(row: Row, play: Play, action: MachineAction): Promise<void> {
  const { world, signatures } = play.stage
  assert.deepEqual(
    processesWith(`\0${play.word}\0`).concat(processesWith(signatures).filter(isNoAgent(play))),
    [],
  )
  assert.equal(existsSync(join(groupsOf(world.device.dataFolder) ?? '', play.id)), false, 'a group is left')

  assert.equal(isGone(play), false, 'it has no identity any more')
  if (row.action === 'quarantine')
    await assertEvilLeft(row, play.evil, action, join(world.device.dataFolder, 'quarantine'))
  else assertPlaces(row, play)

  // All of it that the device kept for itself goes once the server has heard.
  await until(
    'the action to be forgotten',
    () => !existsSync(join(world.device.dataFolder, 'journal', play.id)),
  )
  const onServer = join(world.dataFolder, 'files')
  await until('half uploads to be gone', () => !existsSync(join(onServer, 'uploads', play.id)))
  const results = filesBelow(join(onServer, 'results', play.id))
  const expected = await resultsOf(row, play, action)
  assert.equal(results.length, expected, results.join())
}

const isGone = ({ stage }: Play): boolean =>
  textIn(join(stage.world.device.dataFolder, 'identity.json')).includes('"offboarded"')

/** The secret half of the device's key. */
function secretOf({ stage }: Play): string {
  const { key }: { key: { d: string } } = JSON.parse(
    textIn(join(stage.world.device.dataFolder, 'identity.json')),
  )
  return key.d
}

/** Ended by itself; of its key nothing is left, of what it has done everything. */
async function assertGone(play: Play, secret: string): Promise<void> {
  const { dataFolder, program } = play.stage.world.device
  await program.gone()
  await until('nothing of it to be left', () => processesWith(play.stage.signatures).length === 0)
  assert.equal(isGone(play), true, 'it has an identity')
  const holding = filesBelow(dataFolder).filter((file) => textIn(file).includes(secret))
  assert.deepEqual(holding, [], 'a file has the key')
  assert.ok(existsSync(join(dataFolder, 'journal', play.id, 'outcome.json')))
}

/** Files that were put, or not, and what was there before. */
function assertPlaces(row: Row, play: Play): void {
  const place = (name: string): string => join(putFolder(play), name)
  const isPut = row.left === 'files'
  assert.equal(existsSync(place(newFile(play))), isPut, 'the file that is new')
  const expectedText = row.left === 'residue' ? strangers : isPut ? 'as it is put' : asItWas
  assert.equal(textIn(place(oldFile(play))), expectedText)
  if (row.left === 'residue') assert.equal(textIn(place(`${oldFile(play)}.former`)), asItWas)
  const others = readdirSync(putFolder(play)).filter((name) => name.includes(play.word))
  assert.equal(others.length, row.left === 'nothing' || row.left === 'result' ? 1 : 2, others.join())
}

/** How many results there should be; and that they are what they should be. */
async function resultsOf(row: Row, play: Play, { id, commands }: MachineAction): Promise<number> {
  const { api } = play.stage.world
  if (row.left === 'result') {
    const zip = await download(await api.ask('GET', `/api/machineactions/${id}/getPackageUri`))
    assert.equal(zip.subarray(0, 4).toString('latin1'), 'PK\x03\x04')
    assert.ok(zip.includes('summary.txt'))
  }
  if (row.action === 'package') return row.left === 'result' ? 1 : 0
  if (commands[3]?.commandStatus === 'Completed') {
    const path = `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=3)`
    const content = await download(await api.ask('GET', path))
    assert.ok(
      gunzipSync(content).equals(readFileSync(join(play.folder, 'wanted.bin'))),
      'the file is another one',
    )
  }
  // A script that was ended by its limit leaves what it had written until then.
  return commands.filter(
    ({ commandStatus, command, errors }) =>
      command.type !== 'PutFile' &&
      (commandStatus === 'Completed' || (command.type === 'RunScript' && /limit/.test(errors.join()))),
  ).length
}

async function download(answer: Response): Promise<Buffer> {
  const { value }: { value: string } = JSON.parse(await answer.text())
  return Buffer.from(await (await fetch(value)).arrayBuffer())
}

const filesBelow = (folder: string): readonly string[] =>
  existsSync(folder)
    ? readdirSync(folder, { recursive: true, withFileTypes: true })
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
    : []

const isNoAgent =
  ({ stage }: Play) =>
  (pid: number): boolean =>
    pid !== stage.world.device.program.pid

function isUp(pid: () => number): boolean {
  try {
    return pid() > 0
  } catch {
    return false
  }
}
