/** What was ever given out as a secret stands nowhere: not in a row, not in a file, not in the log. Looked for byte by byte. */
import assert from 'node:assert/strict'
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'vitest'
import { enrol, readToken } from '../../packages/server/src/testing/device.ts'
import { cancel, broughtTo } from '../../packages/server/src/testing/given.ts'
import { day, expectStatus, type Answer, type TestServer } from '../../packages/server/src/testing/server.ts'
import { stage, type Line, type Stage } from './stage.ts'

const on: Stage = stage()

interface Made {
  readonly clientId: string
  readonly secretText: string
  readonly enrolmentToken: string
  readonly value: string
  readonly access_token: string
}

const administer = async (server: TestServer, path: string, body: object): Promise<Answer<Made>> =>
  server.ask<Made>({
    method: 'POST',
    path: `/api/countermand/${path}`,
    token: await server.token('Countermand.Administer'),
    body,
  })

/** By its name, everything that lets somebody in. */
async function everySecret(server: TestServer): Promise<Readonly<Record<string, string>>> {
  const application = await administer(server, 'applications', {
    displayName: 'a new one',
    permissions: ['Machine.Read.All'],
  })
  expectStatus(201, application)
  const { clientId, secretText } = application.body
  const second = expectStatus(201, await administer(server, `applications/${clientId}/secrets`, {}))
  const enrolmentToken = expectStatus(201, await administer(server, 'enrolmenttokens', {})).enrolmentToken
  const token = await server.tokenOf({ id: clientId, secret: secretText, name: '' })

  const used = await server.enrolmentToken()
  await enrol(server, { token: used })
  const { id, device } = await broughtTo('running')(server)
  const transfer = await device.link(id, { result: 0 })
  const { ticket } = device
  device.finish(id, 'succeeded', await device.upload(id, 'a result'))
  await device.sync()
  const path = `/api/machineactions/${id}/GetLiveResponseResultDownloadLink(index=0)`
  const asked = await server.ask<Made>({ method: 'GET', path, token })
  const download = expectStatus(200, asked).value
  const running = await broughtTo('running')(server)
  await cancel(server, running.id)
  await running.device.sync()
  return {
    'the secret of an application': secretText,
    'a further secret': second.secretText,
    'an enrolment token': readToken(enrolmentToken).secret,
    'an enrolment token that was used': readToken(used).secret,
    'an API token': token,
    'the signature of an API token': token.split('.')[2] ?? '',
    'the ticket of a device': ticket,
    'a link to bring a result': transfer.slice(transfer.lastIndexOf('/') + 1),
    'a link to a result': download.slice(download.lastIndexOf('/') + 1),
  }
}

function everyFile({ folder }: TestServer): readonly (readonly [string, Buffer])[] {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .map((path) => [path, readFileSync(path)] as const)
}

test('no secret that was given out stands in the database, in a file, or in the log', async () => {
  const { server } = on
  const secrets = await everySecret(server)
  server.clock.pass(day)
  const files = everyFile(server)
  const log = on
    .lines()
    .map((line: Line) => JSON.stringify(line))
    .join('\n')
  assert.ok(files.some(([path]) => path.endsWith('countermand.db')))
  assert.ok(
    files.some(([path]) => path.endsWith('-wal')),
    'what is not carried over yet is looked through too',
  )
  for (const [name, secret] of Object.entries(secrets)) {
    assert.ok(secret.length >= 40, `${name}: ${secret}`)
    const found = files.filter(([, bytes]) => bytes.includes(secret)).map(([path]) => path)
    assert.deepEqual(found, [], name)
    assert.ok(!log.includes(secret), `${name} is in the log`)
    assert.equal(Buffer.from(secret).length, secret.length, 'as it was sent')
  }
  // It would be found if it were there.
  const digest = server.app.digest(secrets['the secret of an application'] ?? '')
  assert.ok(
    files.some(([, bytes]) => bytes.includes(digest)),
    'the digest of a secret is in the database',
  )
})
