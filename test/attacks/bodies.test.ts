/** What is too large, too deep, too many, or packed: refused before it costs, and without a trace in the rows. */
import { gzipSync } from 'node:zlib'
import { enrol } from '../../packages/server/src/testing/device.ts'
import { form, type Asked, type TestServer } from '../../packages/server/src/testing/server.ts'
import { attacks, stage, type Attack } from './stage.ts'

const on = stage()
const mebibyte = 1024 * 1024
const boundary = 'a-boundary-nobody-writes'
const multipart = { 'content-type': `multipart/form-data; boundary=${boundary}` }

/** With a body for an action on a device. */
const issued =
  (body: string | Buffer, headers: Asked['headers'] = {}): Attack['send'] =>
  async (server) => {
    const { machineId } = await enrol(server)
    const token = await server.token('Machine.LiveResponse')
    return { method: 'POST', path: `/api/machines/${machineId}/runliveresponse`, token, headers, body }
  }
const uploaded =
  (body: string | Buffer, headers: Asked['headers'] = multipart): Attack['send'] =>
  async (server) => ({
    method: 'POST',
    path: '/api/libraryfiles',
    token: await server.token('Library.Manage'),
    headers,
    body,
  })
const listed =
  (filter: string): Attack['send'] =>
  async (server: TestServer) => ({
    method: 'GET',
    path: `/api/machineactions?$filter=${encodeURIComponent(filter)}`,
    token: await server.token('Machine.Read.All'),
  })
const sent =
  (path: string, body: string | Buffer): Attack['send'] =>
  () =>
    Promise.resolve({ method: 'POST', path, body })

const deep = (levels: number): string => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`
const field = (name: string, value: string): string =>
  `--${boundary}\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`

const secret = { by: 'a stolen application secret', status: 400, code: 'InvalidRequestBody' } as const
const large = { status: 413, code: 'RequestEntityTooLarge' } as const
attacks('a body', on, [
  { ...secret, ...large, name: 'of JSON with more than 1 MiB', send: issued(`"${'x'.repeat(mebibyte)}"`) },
  {
    ...large,
    by: 'a hostile device',
    name: 'of a statement with more than 8 MiB',
    send: sent('/device/sync', Buffer.alloc(8 * mebibyte + 1)),
  },
  {
    ...large,
    by: 'anybody who reaches the port',
    name: 'of an enrolment with more than 8 MiB',
    send: sent('/device/enrol', Buffer.alloc(8 * mebibyte + 1)),
  },
  {
    ...secret,
    ...large,
    name: 'of a library file with more than 20 MiB',
    send: uploaded(form('a.sh', Buffer.alloc(21 * mebibyte)).body),
  },
  { ...secret, name: 'that is nested 33 deep', send: issued(deep(33)) },
  { ...secret, name: 'of objects that is nested 100,000 deep', send: issued(deep(100_000)) },
  {
    ...secret,
    name: 'of lists that is nested 100,000 deep',
    send: issued(`{"Comment":${'['.repeat(100_000)}`),
  },
  {
    ...secret,
    name: 'that hides its depth behind a quoted quote',
    send: issued(`{"Comment":"\\"","a":${deep(40)}}`),
  },
  {
    ...secret,
    name: 'that sets what every object has',
    send: issued('{"__proto__":{"Comment":"x"}}'),
    code: 'MissingRequiredParameter',
  },
  {
    ...secret,
    name: 'packed by gzip, a thousand times larger: it is not unpacked',
    send: issued(gzipSync(Buffer.alloc(mebibyte)), { 'content-encoding': 'gzip' }),
  },
  {
    ...secret,
    name: 'of a form with 10,000 parts and no file',
    send: uploaded(
      `${Array.from({ length: 10_000 }, (_, at) => field(`f${at}`, 'x')).join('')}--${boundary}--\r\n`,
    ),
    code: 'MissingRequiredParameter',
  },
  { ...secret, name: 'of a form that does not end', send: uploaded(field('file', 'x').slice(0, -2)) },
  {
    ...secret,
    name: 'of a form with a name of 1 MiB',
    send: uploaded(`${field('x'.repeat(mebibyte), 'x')}--${boundary}--\r\n`),
    code: 'MissingRequiredParameter',
  },
  {
    ...secret,
    name: 'of a form without its boundary',
    send: uploaded(field('file', 'x'), { 'content-type': 'multipart/form-data' }),
  },
])

const query = { by: 'a stolen application secret', status: 400, code: 'ODataError' } as const
attacks('a filter', on, [
  {
    ...query,
    name: 'that is nested 1,000 deep',
    send: listed(`${'('.repeat(1_000)}id eq 'x'${')'.repeat(1_000)}`),
  },
  {
    ...query,
    name: 'of 600 conditions',
    send: listed(Array.from({ length: 600 }, () => "id eq 'x'").join(' or ')),
  },
  { ...query, name: 'that denies 10,000 times', send: listed(`${'not '.repeat(10_000)}(id eq 'x')`) },
])
