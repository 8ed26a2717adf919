import assert from 'node:assert/strict'
import { createHash } from 'node:crypto'
import type { LibraryFile } from '@countermand/contract'
import { scenarios, type Scenario, type Subject } from '../testing/scenarios.ts'
import { form, type TestServer } from '../testing/server.ts'

const now = '2026-02-03T04:05:06.12Z'
const content = '#!/bin/sh\necho ok\n'
const mayNotManage =
  'The application does not have any of the required application permissions (Library.Manage) to access the resource.'
const keys = `@odata.context fileName sha256 description creationTime lastUpdatedTime createdBy hasParameters
  parametersDescription`.split(/\s+/)
const megabytes20 = 20 * 1024 * 1024

let count = 0
/** A name that no file has. */
const free = (): Promise<string> => Promise.resolve(`free-${(count += 1)}.sh`)
const taken = async (server: TestServer): Promise<string> => {
  const name = await free()
  await server.upload(name, 'the first of its name')
  return name
}

async function listed(server: TestServer): Promise<readonly LibraryFile[]> {
  const token = await server.token('Library.Manage')
  const answer = await server.ask<{ value: LibraryFile[] }>({
    method: 'GET',
    path: '/api/libraryfiles',
    token,
  })
  return answer.body.value
}
const isAbsent: Scenario<string>['check'] = async (_answer, name, server) =>
  assert.ok((await listed(server)).every(({ fileName }) => fileName !== name))
const isAsItWas: Scenario<string>['check'] = async (_answer, name, server) => {
  const found = (await listed(server)).filter(({ fileName }) => fileName === name)
  assert.deepEqual(
    found.map(({ sha256 }) => sha256),
    [hash('the first of its name')],
  )
}
const hash = (text: string): string => createHash('sha256').update(text).digest('hex')

const uploading: Subject<string> = {
  method: 'POST',
  path: () => '/api/libraryfiles',
  given: free,
  as: ['Library.Manage'],
}

/** An upload is a scenario whose form depends on the name. */
const upload = (
  scenario: Omit<Scenario<string>, 'body' | 'headers'>,
  build: (name: string) => ReturnType<typeof form> = (name) => form(name, content),
): Scenario<string> => ({ ...scenario, headers: build('').headers, body: (name) => build(name).body })

const badNames = ['', '.', '..', 'a b.sh', 'a/b.sh', '../b.sh', 'a\\b.sh', 'ü.sh', 'a;b', 'x'.repeat(256)]
const withoutForm: Readonly<Record<string, Pick<Scenario<string>, 'headers' | 'body'>>> = {
  'that is JSON': { body: { file: content } },
  'that is empty': {},
  'labelled as a form without boundary': {
    headers: { 'content-type': 'multipart/form-data' },
    body: form('a.sh', content).body,
  },
  'that is cut short': {
    headers: form('a.sh', content).headers,
    body: form('a.sh', content).body.subarray(0, -20),
  },
}

const uploadRefusals: readonly Scenario<string>[] = [
  upload({ name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] }),
  upload({
    name: 'without the permission is refused, in the words that clients match on',
    as: ['Machine.LiveResponse', 'Machine.ReadWrite.All'],
    status: 403,
    code: 'Forbidden',
    says: mayNotManage,
    events: [],
    check: isAbsent,
  }),
  ...Object.entries(withoutForm).map(([name, sent]): Scenario<string> => ({
    name: `of a body ${name} is refused`,
    ...sent,
    status: 400,
    code: 'InvalidRequestBody',
    events: [],
  })),
  upload(
    {
      name: 'of a form without a file is refused',
      status: 400,
      code: 'MissingRequiredParameter',
      says: [/file/],
      events: [],
    },
    () => form('a.sh', content, { field: 'another' }),
  ),
  ...badNames.map((bad) =>
    upload(
      {
        name: `of a file named ${JSON.stringify(bad.slice(0, 10))} (${bad.length}) is refused`,
        status: 400,
        events: [],
        check: async (_answer, _name, server) =>
          assert.ok((await listed(server)).every(({ fileName }) => fileName !== bad)),
      },
      () => form(bad.replace('\\', '\\\\'), content),
    ),
  ),
  upload({
    name: 'of a name that is taken is refused as one that already exists',
    given: taken,
    status: 400,
    says: [/already exists/],
    code: 'InvalidInput',
    events: [],
    check: isAsItWas,
  }),
  upload(
    {
      name: 'of a name that is taken is refused when it says not to override',
      given: taken,
      status: 400,
      code: 'InvalidInput',
      says: [/already exists/],
      events: [],
      check: isAsItWas,
    },
    (name) => form(name, content, { words: { OverrideIfExists: 'false' } }),
  ),
  upload(
    {
      name: 'of one byte over 20 MB is refused',
      status: 413,
      code: 'RequestEntityTooLarge',
      events: [],
      check: isAbsent,
    },
    (name) => form(name, Buffer.alloc(megabytes20 + 1, 'x')),
  ),
  upload(
    {
      name: 'of far over 20 MB is refused',
      status: 413,
      code: 'RequestEntityTooLarge',
      events: [],
      check: isAbsent,
    },
    (name) => form(name, Buffer.alloc(megabytes20 + 1024 * 1024, 'x')),
  ),
]

const uploaded = ['library.uploaded']
const entity = {
  sha256: hash(content),
  description: null,
  creationTime: now,
  lastUpdatedTime: now,
  createdBy: 'an application',
  hasParameters: false,
  parametersDescription: null,
}

const uploadSuccesses: readonly Scenario<string>[] = [
  upload({
    name: 'answers the entity with its hash',
    status: 200,
    reply: entity,
    events: uploaded,
    check: async ({ body }, name, server) => {
      const file = body as LibraryFile
      assert.equal(file.fileName, name)
      assert.deepEqual(Object.keys(file), keys)
      assert.match(file['@odata.context'] ?? '', /\/api\/\$metadata#LibraryFiles/)
      const { '@odata.context': _context, ...bare } = file
      assert.deepEqual(
        (await listed(server)).find(({ fileName }) => fileName === name),
        bare,
      )
    },
  }),
  upload({ name: 'takes the field File as well', status: 200, reply: entity, events: uploaded }, (name) =>
    form(name, content, { field: 'File' }),
  ),
  upload(
    {
      name: 'keeps the words about the file',
      status: 200,
      reply: {
        ...entity,
        description: 'says ok – würde',
        hasParameters: true,
        parametersDescription: '-fast: sooner',
      },
      events: uploaded,
    },
    (name) =>
      form(name, content, {
        words: {
          Description: 'says ok – würde',
          ParametersDescription: '-fast: sooner',
          HasParameters: 'true',
          OverrideIfExists: 'false',
        },
      }),
  ),
  ...['true', 'True'].map((yes) =>
    upload(
      {
        name: `of a name that is taken replaces it when OverrideIfExists is ${yes}`,
        given: taken,
        status: 200,
        reply: { sha256: hash(content) },
        events: uploaded,
        check: async (_answer, name, server) => {
          const found = (await listed(server)).filter(({ fileName }) => fileName === name)
          assert.deepEqual(
            found.map(({ sha256 }) => sha256),
            [hash(content)],
          )
        },
      },
      (name) => form(name, content, { words: { OverrideIfExists: yes } }),
    ),
  ),
  upload(
    {
      name: 'of exactly 20 MB is taken',
      status: 200,
      reply: { sha256: hash('x'.repeat(megabytes20)) },
      events: uploaded,
    },
    (name) => form(name, Buffer.alloc(megabytes20, 'x')),
  ),
  upload(
    {
      name: 'of bytes that are no text keeps them',
      status: 200,
      reply: { sha256: hashOf([0, 255, 13, 10, 128]) },
      events: uploaded,
    },
    (name) => form(name, Buffer.from([0, 255, 13, 10, 128])),
  ),
  upload(
    { name: 'of an empty file is taken', status: 200, reply: { sha256: hash('') }, events: uploaded },
    (name) => form(name, ''),
  ),
]

function hashOf(bytes: readonly number[]): string {
  return createHash('sha256').update(Buffer.from(bytes)).digest('hex')
}

scenarios('POST /api/libraryfiles', uploading, [...uploadRefusals, ...uploadSuccesses])

scenarios('GET /api/libraryfiles', { ...uploading, method: 'GET', fresh: true }, [
  { name: 'without a token is refused', as: null, status: 401, code: 'Unauthorized', events: [] },
  {
    name: 'without the permission is refused',
    as: ['Machine.Read.All'],
    status: 403,
    code: 'Forbidden',
    says: mayNotManage,
    events: [],
  },
  { name: 'of an empty library is an empty list', status: 200, reply: { value: [] }, events: [] },
  {
    name: 'shows what is there, in the list envelope',
    given: taken,
    status: 200,
    events: [],
    check: ({ body }, name) => {
      const { value, ...envelope } = body as { '@odata.context': string; value: LibraryFile[] }
      assert.match(envelope['@odata.context'], /\/api\/\$metadata#LibraryFiles$/)
      assert.deepEqual(
        value.map(({ fileName }) => fileName),
        [name],
      )
      assert.deepEqual(Object.keys(value[0] ?? {}), keys.slice(1))
    },
  },
])

const removing: Subject<string> = {
  method: 'DELETE',
  path: (name) => `/api/libraryfiles/${name}`,
  given: taken,
  as: ['Library.Manage'],
}

scenarios('DELETE /api/libraryfiles/:fileName', removing, [
  {
    name: 'without a token is refused',
    as: null,
    status: 401,
    code: 'Unauthorized',
    events: [],
    check: isAsItWas,
  },
  {
    name: 'without the permission is refused',
    as: ['Machine.LiveResponse'],
    status: 403,
    code: 'Forbidden',
    says: mayNotManage,
    events: [],
    check: isAsItWas,
  },
  ...['nothing.sh', '%2e%2e%2fkeys', 'ü', '%00'].map((name): Scenario<string> => ({
    name: `of the unknown name ${name} is 404`,
    path: () => `/api/libraryfiles/${encodeURI(decodeURIComponent(name)).replaceAll('/', '%2f')}`,
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  })),
  {
    name: 'of a file that is gone already is 404',
    given: async (server) => {
      const name = await taken(server)
      const token = await server.token('Library.Manage')
      await server.ask({ method: 'DELETE', path: removing.path(name), token })
      return name
    },
    status: 404,
    code: 'ResourceNotFound',
    events: [],
  },
  { name: 'removes it and answers nothing', status: 204, events: ['library.deleted'], check: isAbsent },
  {
    name: 'finds it with a slash at the end',
    path: (name) => `/api/LibraryFiles/${name}/`,
    status: 204,
    events: ['library.deleted'],
    check: isAbsent,
  },
])
