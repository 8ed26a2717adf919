/** Examples from schemas: every value is invented, and fits. */
import type { Json, Schema } from './shape.ts'

const machineId = '00aa11bb22cc33dd44ee55ff66aa77bb88cc99dd'
const actionId = '7c1f2b0e-93aa-4f0d-8b55-0d6c0f6d1a01'
const time = '2026-02-03T04:05:06.12Z'

/** By the name of a field, wherever it stands. */
const values: Readonly<Record<string, Json>> = {
  '@odata.context': 'https://countermand.example/api/$metadata#MachineActions/$entity',
  id: actionId,
  type: 'LiveResponse',
  requestor: 'first application',
  requestorComment: 'case 17',
  status: 'Pending',
  phase: 'queued',
  state: 'none',
  machineId,
  MachineId: machineId,
  MachineIds: [machineId],
  computerDnsName: 'ws-017',
  errorHResult: 0,
  Comment: 'case 17',
  ExternalId: 'case-17',
  Sha1: '3395856ce81f2b7382dee72602f798b642f14140',
  Value: 'quarantine-lab',
  Commands: [
    { type: 'PutFile', params: [{ key: 'FileName', value: 'tool.tar' }] },
    {
      type: 'RunScript',
      params: [
        { key: 'ScriptName', value: 'triage.sh' },
        { key: 'Args', value: '--fast' },
      ],
    },
    { type: 'GetFile', params: [{ key: 'Path', value: '/var/tmp/triage.txt' }] },
  ],
  commands: [],
  findings: [],
  residues: [],
  machineTags: ['lab'],
  attempt: 0,
  osPlatform: 'Linux',
  osProcessor: 'x64',
  osArchitecture: '64-bit',
  defenderAvStatus: 'NotSupported',
  managedBy: 'Unknown',
  managedByStatus: 'Unknown',
  healthStatus: 'Active',
  ipAddress: '192.0.2.17',
  lastIpAddress: '192.0.2.17',
  lastExternalIpAddress: '198.51.100.4',
  macAddress: '02005E001017',
  operationalStatus: 'Up',
  fileName: 'triage.sh',
  sha256: '5f70bf18a086007016e948b04aed3b82103a36bea41755b6cddfaf10ace3c6ef',
  createdBy: 'first application',
  description: 'first look',
  enrolmentToken: 'cme1.…',
  displayName: 'playbook',
  hint: 'q3T',
  secretText: '…',
  permissions: ['Machine.Read.All', 'Machine.LiveResponse'],
  expiresInDays: 180,
  kind: 'action.requested',
  at: time,
  sequence: 2,
  previous: '…',
  digest: '…',
  value: 'https://countermand.example/…',
}

/** Optional fields of what is asked are shown, so that one sees them; `null` stands for what is not there yet. */
export function exampleOf(schema: Schema, named: Readonly<Record<string, Schema>>, name = ''): Json {
  const found =
    schema.$ref === undefined ? schema : named[schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1)]
  if (found === undefined) return null
  const known = values[name]
  if (found.const !== undefined) return found.const
  if (found.enum !== undefined) return found.enum.find((word) => word === known) ?? found.enum[0] ?? null
  if (found.anyOf !== undefined) {
    const isNullable = found.anyOf.some(({ type }) => type === 'null')
    if (isNullable && known === undefined) return null
    return exampleOf(found.anyOf[0] ?? {}, named, name)
  }
  switch (found.type) {
    case 'object': {
      const entries = Object.entries(found.properties ?? {})
      return Object.fromEntries(entries.map(([key, of]) => [key, exampleOf(of, named, key)]))
    }
    case 'array':
      // Of what is always empty there is no example.
      if (found.items !== undefined && 'not' in found.items) return []
      return Array.isArray(known) ? known : [exampleOf(found.items ?? {}, named)]
    case 'integer':
    case 'number':
      return typeof known === 'number' ? known : (found.minimum ?? 0)
    case 'boolean':
      return false
    case 'string':
      return typeof known === 'string' ? known : /time|Seen$|Utc$|^at$/i.test(name) ? time : '…'
    case undefined:
    default:
      return null
  }
}
