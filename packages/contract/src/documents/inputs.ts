/** What a call is given: parts of its path, query options, a body. */
import type { Operation } from '../operation.ts'
import type { Schemas } from './schemas.ts'
import type { Content, Parameter, Schema } from './shape.ts'

const named: Readonly<Record<string, { readonly description: string; readonly schema: Schema }>> = {
  index: { description: 'Place of the command, from 0.', schema: { type: 'integer', minimum: 0 } },
  fileName: { description: 'Name of the file in the library.', schema: { type: 'string' } },
  clientId: { description: 'Id of the application.', schema: { type: 'string' } },
  keyId: { description: 'Id of the secret.', schema: { type: 'string' } },
}

const ids: Readonly<Record<Operation['target'], string>> = {
  none: 'Id.',
  machineAction: 'Id of the machine action.',
  machineActionId: 'Id of the machine action.',
  machine: 'Id of the machine; a name is not taken.',
  machineOrName: 'Id or computer name of the machine.',
  libraryFile: 'Name of the file in the library.',
  application: 'Id of the application.',
  enrolmentToken: 'Id of the token; not the token itself.',
}

const whole: Schema = { type: 'integer', minimum: 0 }
const options: Readonly<Record<string, { readonly description: string; readonly schema: Schema }>> = {
  $top: { description: 'How many at most; 10,000 where it is left out or more.', schema: whole },
  $skip: { description: 'How many to leave out first.', schema: whole },
  $filter: { description: "A condition, `status eq 'Pending'` for example.", schema: { type: 'string' } },
  $orderby: { description: 'A field, and `asc` or `desc`.', schema: { type: 'string' } },
  $select: { description: 'The fields wanted, with commas.', schema: { type: 'string' } },
  kind: {
    description: 'Kinds with commas, `action.cancelled` or `action.*`.',
    schema: { type: 'string' },
  },
  machineId: { description: 'Of this machine only.', schema: { type: 'string' } },
  actionId: { description: 'Of this action only.', schema: { type: 'string' } },
  alarm: { description: '`true`: alarms only.', schema: { type: 'boolean' } },
  after: { description: 'What comes after the event with this id; 0 for all.', schema: whole },
  follow: { description: '`false`: what is there now, and no more.', schema: { type: 'boolean' } },
  $count: { description: '`true`: `@odata.count` says how many there are.', schema: { type: 'boolean' } },
}

const idempotencyKey: Parameter = {
  name: 'Idempotency-Key',
  in: 'header',
  required: false,
  description:
    'Of the caller’s making, for one request: sent again under it, it is answered with the action that it led to.',
  schema: { type: 'string', maxLength: 255 },
}

const propertiesOf = (schema: Schema): object => schema.properties ?? {}

export function parametersOf(row: Operation): Parameter[] {
  const inPath = [...row.path.matchAll(/:(\w+)/g)].map(([, name = '']): Parameter => {
    const known = named[name]
    const fallback = { description: name === 'id' ? ids[row.target] : name, schema: { type: 'string' } }
    return { name, in: 'path', required: true, ...(known ?? fallback) }
  })
  const inQuery = (row.query ?? []).map((name): Parameter => {
    const known = options[name] ?? { description: name, schema: { type: 'string' } }
    return { name, in: 'query', required: false, ...known }
  })
  // What takes our own wishes takes our own header too.
  const isOnce = row.body !== undefined && 'countermand' in propertiesOf(row.body)
  return [...inPath, ...inQuery, ...(isOnce ? [idempotencyKey] : [])]
}

/** The form of the library (`wire.md` 1.4), which its route reads itself. */
const form: Schema = {
  type: 'object',
  required: ['file'],
  properties: {
    file: { type: 'string', format: 'binary', description: 'the file, with its name; `File` is taken too' },
    Description: { type: 'string', description: 'a few words' },
    ParametersDescription: { type: 'string', description: 'which arguments the script takes' },
    HasParameters: { type: 'boolean', description: 'does the script take arguments?' },
    OverrideIfExists: { type: 'boolean', description: 'replace a file of that name; else it is refused' },
  },
}

export function bodyOf(
  row: Operation,
  schemas: Schemas,
): { required: boolean; content: Content } | undefined {
  if (row.form === true) return { required: true, content: { 'multipart/form-data': { schema: form } } }
  if (row.body === undefined) return undefined
  const schema = schemas.use(row.body)
  return { required: (schema.required ?? []).length > 0, content: { 'application/json': { schema } } }
}
