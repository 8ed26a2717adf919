/** Our words → the reference's. With `errors.ts` the only place that speaks its dialect. */
import { commandsOf } from '@countermand/contract'
import type {
  ActionEventEntry,
  Application,
  Command,
  CommandOutcome,
  DeviceEntry,
  EnrolmentTokenEntry,
  LibraryFile,
  LiveResponseCommand,
  Machine,
  MachineAction,
  PasswordCredential,
  User,
} from '@countermand/contract'
import type { EnrolmentRow, LibraryEntry, StoredEvent } from '../app/rows.ts'
import type { Shown } from '../app/actions/read-progress.ts'
import type { Action } from '../core/action-shape.ts'
import type { Application as KnownApplication, Secret } from '../core/application.ts'
import { healthOf, stateOf, type Device } from '../core/device.ts'
import { shownOf, type Standing } from '../core/posture.ts'
import { cancelledAt, statusOf } from '../core/status.ts'

/** .NET's round trip: UTC, trailing zeros of the fraction dropped (`wire.md` 2.3). */
export function timestamp(date: Date): string {
  const time = date.getTime()
  if (time !== lastTime.time) {
    const text = date.toISOString()
    lastTime = { time, text: text.endsWith('0Z') ? text.replace(/\.?0+Z$/, 'Z') : text }
  }
  return lastTime.text
}
/** An action that has just changed says the same time three times. */
let lastTime = { time: Number.NaN, text: '' }

const maybe = (date: Date | null): string | null => date && timestamp(date)

/** What is said to be where: `…/api/$metadata#` + one of the endings that clients know (`wire.md` 7). */
export function contextOf(base: string, ending: string): string {
  if (base !== lastContext.base || ending !== lastContext.ending)
    lastContext = { base, ending, text: `${base}/api/$metadata#${ending}` }
  return lastContext.text
}
/** Most ask the same place for the same; a text that is put together anew makes the whole answer's JSON slow. */
let lastContext = { base: '', ending: '', text: '' }

/** What is known of an action beside its row. */
export interface Beside {
  /** What the device said of how far it is, where it runs. */
  readonly progress?: Shown | undefined
  /** The events of every request to cancel it. */
  readonly requests?: readonly StoredEvent[] | undefined
}

/** Keys in the order of the real service. */
export function toMachineAction(action: Action, beside: Beside = {}): MachineAction {
  const { cancel } = action
  return {
    id: action.id,
    type: action.type,
    title: null,
    requestor: action.requestor,
    requestorComment: action.comment,
    status: statusOf(action),
    machineId: action.machineId,
    computerDnsName: action.computerDnsName,
    creationDateTimeUtc: timestamp(action.createdAt),
    lastUpdateDateTimeUtc: timestamp(action.updatedAt),
    cancellationRequestor: cancel?.by ?? null,
    cancellationComment: cancel?.comment ?? null,
    cancellationDateTimeUtc: maybe(cancelledAt(action)),
    errorHResult: 0,
    scope: action.scope,
    externalId: action.externalId,
    requestSource: 'PublicApi',
    relatedFileInfo: toFile(action),
    commands: action.commands.flatMap((outcome) => {
      const sent = commandsOf(action.parameters)[outcome.index]
      return sent === undefined ? [] : [toCommandState(sent, outcome)]
    }),
    troubleshootInfo: null,
    countermand: toExtension(action, beside),
  }
}

const toFile = ({ parameters }: Action): MachineAction['relatedFileInfo'] =>
  'sha1' in parameters ? { fileIdentifier: parameters.sha1, fileIdentifierType: 'Sha1' } : null

function toQuarantined({ parameters, commands }: Action): MachineAction['countermand']['quarantined'] {
  if (!('sha1' in parameters)) return null
  return commands[0]?.quarantined ?? { files: [], killed: [] }
}

function toCommandState(
  sent: LiveResponseCommand,
  outcome: CommandOutcome,
): MachineAction['commands'][number] {
  return {
    index: outcome.index,
    startTime: deviceTime(outcome.startedAt),
    endTime: deviceTime(outcome.endedAt),
    commandStatus: outcome.status,
    errors: [...outcome.errors],
    command: { type: sent.type, params: paramsOf(sent) },
  }
}

/** As they were asked for. */
function paramsOf(sent: LiveResponseCommand): Command['params'] {
  switch (sent.type) {
    case 'PutFile':
      return [{ key: 'FileName', value: sent.fileName }]
    case 'RunScript': {
      const script = { key: 'ScriptName', value: sent.scriptName }
      return sent.asked === null ? [script] : [script, { key: 'Args', value: sent.asked }]
    }
    case 'GetFile':
      return [{ key: 'Path', value: sent.path }]
  }
}

const deviceTime = (text: string | null): string | null =>
  text === null || Number.isNaN(Date.parse(text)) ? null : timestamp(new Date(text))

const toCancelRequest = ({ actor, at, data }: StoredEvent) => ({
  requestor: actor,
  comment: typeof data.comment === 'string' ? data.comment : null,
  requestedDateTimeUtc: timestamp(at),
  why: typeof data.why === 'string' ? data.why : null,
})

function toExtension(action: Action, { progress, requests }: Beside): MachineAction['countermand'] {
  const { cancel } = action
  return {
    version: action.version,
    phase: action.phase,
    cancel: cancel && {
      state: cancel.state,
      requestor: cancel.by,
      comment: cancel.comment,
      requestedDateTimeUtc: timestamp(cancel.requestedAt),
      deadlineUtc: action.finishedAt === null ? timestamp(cancel.deadlineAt) : null,
      graceSeconds: cancel.graceMs / 1_000,
      detail: cancel.detail,
      supersededBy: cancel.supersededBy ?? null,
      ...(requests !== undefined && { requests: requests.map(toCancelRequest) }),
    },
    effect: { state: action.effect.state, residues: [...action.effect.residues] },
    proof: action.proof,
    reason: action.reason,
    deadlineUtc: maybe(action.deadlineAt),
    notBefore: maybe(action.notBefore),
    notAfter: maybe(action.notAfter),
    whenOffline: action.whenOffline,
    runLimitSeconds: action.runLimitMs / 1_000,
    attempt: action.attempt,
    lateOutcome: action.lateOutcome,
    progress: progress ?? null,
    findings: action.commands.flatMap(({ findings = [] }) => findings),
    quarantined: toQuarantined(action),
  }
}

export function toMachine(device: Device, now: Date): Machine {
  const { facts } = device
  return {
    id: device.id,
    mergedIntoMachineId: null,
    isPotentialDuplication: device.order.forked,
    isExcluded: false,
    exclusionReason: null,
    computerDnsName: device.name,
    firstSeen: timestamp(device.firstSeen),
    lastSeen: maybe(device.lastSeen),
    osPlatform: facts?.osPlatform ?? null,
    osVersion: facts?.osVersion ?? null,
    osProcessor: facts?.osProcessor ?? null,
    version: facts?.version ?? null,
    lastIpAddress: facts?.ipAddresses[0]?.ipAddress ?? null,
    lastExternalIpAddress: device.lastAddress,
    agentVersion: facts?.agentVersion ?? null,
    osBuild: facts?.osBuild ?? null,
    healthStatus: healthOf(device, now),
    deviceValue: device.deviceValue,
    rbacGroupId: 0,
    rbacGroupName: null,
    riskScore: 'None',
    exposureLevel: 'None',
    isAadJoined: false,
    aadDeviceId: null,
    machineTags: [...device.tags],
    defenderAvStatus: 'NotSupported',
    onboardingStatus: stateOf(device) === 'Enrolled' ? 'Onboarded' : 'CanBeOnboarded',
    osArchitecture: facts?.osArchitecture ?? null,
    managedBy: 'Unknown',
    managedByStatus: 'Unknown',
    ipAddresses: facts === null ? [] : [...facts.ipAddresses],
    vmMetadata: null,
    countermand: { offboardedDateTimeUtc: maybe(device.offboardedAt), ...toStanding(device) },
  }
}

const toStand = ({ action, since, confirmed }: Standing) => ({
  actionId: action,
  sinceDateTimeUtc: since === null ? null : timestamp(new Date(since)),
  confirmed,
})

function toStanding({ stances }: Device): Omit<Machine['countermand'], 'offboardedDateTimeUtc'> {
  const isolation = shownOf(stances, 'isolation')
  const restriction = shownOf(stances, 'restriction')
  return {
    isolation: { state: isolation.state, type: isolation.type, ...toStand(isolation) },
    restriction: { state: restriction.state, ...toStand(restriction) },
  }
}

/** The latest first. Accounts are the host's own here, so the host is their domain. */
export function toUsers({ name, facts, logons }: Device): User[] {
  const domain = facts?.hostName ?? name
  return logons.toReversed().map(({ user, types, firstSeen, lastSeen }) => ({
    id: `${domain}\\${user}`,
    accountName: user,
    accountDomain: domain,
    firstSeen: timestamp(new Date(firstSeen)),
    lastSeen: timestamp(new Date(lastSeen)),
    logonTypes: types.join(', '),
    isDomainAdmin: false,
    isOnlyNetworkUser: false,
    accountSid: null,
  }))
}

export const toLibraryFile = (entry: LibraryEntry): LibraryFile => ({
  fileName: entry.fileName,
  sha256: entry.sha256,
  description: entry.description,
  creationTime: timestamp(entry.createdAt),
  lastUpdatedTime: timestamp(entry.updatedAt),
  createdBy: entry.createdBy,
  hasParameters: entry.hasParameters,
  parametersDescription: entry.parametersDescription,
})

export const toEventEntry = (event: StoredEvent): ActionEventEntry => ({
  sequence: event.sequence,
  kind: event.kind,
  at: timestamp(event.at),
  actor: event.actor,
  data: event.data,
  previous: event.previous,
  digest: event.digest,
  statement: event.statement,
})

/** Never the secrets' digests. */
export const toApplication = (application: KnownApplication): Application => ({
  clientId: application.id,
  objectId: application.objectId,
  displayName: application.name,
  enabled: application.isEnabled,
  permissions: [...application.permissions],
  createdDateTime: maybe(application.createdAt),
  passwordCredentials: application.secrets.map(toPasswordCredential),
})

export const toPasswordCredential = (secret: Secret): PasswordCredential => ({
  keyId: secret.keyId,
  displayName: secret.name,
  hint: secret.hint,
  startDateTime: maybe(secret.startsAt),
  endDateTime: maybe(secret.endsAt),
})

export const toEnrolmentTokenEntry = (row: EnrolmentRow, now: Date): EnrolmentTokenEntry => ({
  id: row.id,
  state:
    row.usedByKey !== null
      ? 'Used'
      : row.revokedAt !== null
        ? 'Revoked'
        : row.expiresAt <= now
          ? 'Expired'
          : 'Valid',
  createdDateTimeUtc: maybe(row.createdAt),
  createdBy: row.createdBy,
  expirationDateTimeUtc: timestamp(row.expiresAt),
  machineId: row.forDevice,
  usedBy: row.machineId,
  revokedDateTimeUtc: maybe(row.revokedAt),
})

export const toDeviceEntry = (device: Device): DeviceEntry => ({
  id: device.id,
  state: stateOf(device),
  displayName: device.givenName,
  hostName: device.facts?.hostName ?? null,
  computerDnsName: device.name,
  keyThumbprint: device.keyThumbprint,
  agentVersion: device.facts?.agentVersion ?? null,
  firstSeen: timestamp(device.firstSeen),
  lastSeen: maybe(device.lastSeen),
  keyRevokedDateTimeUtc: maybe(device.keyRevokedAt),
  retiredDateTimeUtc: maybe(device.retiredAt),
  offboardedDateTimeUtc: maybe(device.offboardedAt),
})
