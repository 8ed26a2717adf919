/** The fields of the reference's entities (`wire.md` 2, 3.2 and 12), and what each means; ours beside them. */

export interface Field {
  readonly means: string
  /** Given where it is there and yet not the same. */
  readonly stand?: 'stricter' | 'extended'
  readonly note?: string
}

type Fields = Readonly<Record<string, Field>>

const is = (means: string, note?: string): Field => ({ means, ...(note !== undefined && { note }) })
const context = is('what the answer is; only where it is one entity')
const alwaysNull = 'always null'

/** By the name that the contract gives the schema. What the reference has and we have not is absent. */
export const reference: Readonly<Record<string, Fields>> = {
  MachineAction: {
    '@odata.context': context,
    id: is('id of the action'),
    type: is('what is to be done'),
    title: is('no title', alwaysNull),
    requestor: is('who asked: the name of the application'),
    requestorComment: is('the `Comment` that was sent'),
    status: is('where it stands; the last four are final', '`Cancelled` is said only with proof'),
    machineId: is('id of the machine', 'never null'),
    computerDnsName: is('name of the machine', 'never null'),
    creationDateTimeUtc: is('when it was asked for'),
    lastUpdateDateTimeUtc: is('when it last changed'),
    cancellationRequestor: is('who asked to take it back', 'set from the request on, before there is proof'),
    cancellationComment: is('the `Comment` of the cancel'),
    cancellationDateTimeUtc: is('when it was cancelled', 'null until the status is `Cancelled`'),
    errorHResult: is('a Windows code', 'always 0'),
    scope: is('how far it goes: `Quick` or `Full` for a scan, else null'),
    externalId: is(
      'your own id, sent as `ExternalId`',
      'as on the wire; the documentation writes `externalID`',
    ),
    requestSource: is('where it was asked', 'always `PublicApi`, as on the wire'),
    relatedFileInfo: is('the file that it is about', 'null where it is about none'),
    commands: is('the commands of a live response; empty for others', 'filled from the start'),
    troubleshootInfo: is('undocumented', alwaysNull),
  },
  CommandState: {
    index: is('its place, from 0'),
    startTime: is('when the device began it'),
    endTime: is('when the device ended it'),
    commandStatus: is('where it stands', '`Created`, `Completed`, `Failed`, as documented'),
    errors: is('what went wrong, in words'),
    command: is('the command as it was asked for'),
  },
  Machine: {
    '@odata.context': context,
    id: is('id of the machine, 40 hexadecimal digits'),
    mergedIntoMachineId: is('undocumented', alwaysNull),
    isPotentialDuplication: is('two hosts have spoken with the key of this one', 'a copied device'),
    isExcluded: is('undocumented', 'always false'),
    exclusionReason: is('undocumented', alwaysNull),
    computerDnsName: is('the name that the machine gives itself'),
    firstSeen: is('when it was enrolled'),
    lastSeen: is('when it last spoke', 'the last sync, not a daily report'),
    osPlatform: is('the operating system, `Linux`'),
    osVersion: is('its version'),
    osProcessor: is('its processor'),
    version: is('its release'),
    lastIpAddress: is('its own first address'),
    lastExternalIpAddress: is('the address that it last spoke from'),
    agentVersion: is('version of the agent'),
    osBuild: is('build number'),
    healthStatus: is('does it speak?', '`Active`, `Inactive`, `Unknown` only'),
    deviceValue: is('how much it matters'),
    rbacGroupId: is('device group', 'a number, as on the wire'),
    rbacGroupName: is('name of the device group'),
    riskScore: is('risk', 'always `None`: nothing here computes it'),
    exposureLevel: is('exposure', 'always `None`: nothing here computes it'),
    isAadJoined: is('joined to Entra ID', 'always false'),
    aadDeviceId: is('id in Entra ID', alwaysNull),
    machineTags: is('tags'),
    defenderAvStatus: is('Defender Antivirus', 'always `NotSupported`'),
    onboardingStatus: is('is it enrolled?', '`onboardingStatus`, as on the wire'),
    osArchitecture: is('`64-bit` or `32-bit`'),
    managedBy: is('undocumented', 'always `Unknown`'),
    managedByStatus: is('undocumented', 'always `Unknown`'),
    ipAddresses: is('its addresses', 'with `type`, as on the wire'),
    vmMetadata: is('cloud machine', alwaysNull),
  },
  IpAddress: {
    ipAddress: is('address'),
    macAddress: is('hardware address'),
    type: is('kind of interface'),
    operationalStatus: is('`Up` or not'),
  },
  LibraryFile: {
    '@odata.context': context,
    fileName: is('name; there is no other id'),
    sha256: is('hash of the content'),
    description: is('the `Description` that was sent'),
    creationTime: is('when it was first put'),
    lastUpdatedTime: is('when it was last put'),
    createdBy: is('who put it'),
    hasParameters: is('does the script take arguments?'),
    parametersDescription: is('which'),
  },
}

/** Ours alone. */
export const ours: Readonly<Record<string, Fields>> = {
  MachineAction: { countermand: is('what the six statuses cannot say') },
  CountermandExtension: {
    phase: is('where it stands, in more words than `status` has'),
    cancel: is('the cancel: who, when, how far; null where none was asked'),
    effect: is('what is known of the marks that it left'),
    proof: is('why `Cancelled` may be said'),
    reason: is('why it ended'),
    deadlineUtc: is('when it ends by itself'),
    attempt: is('how often it was offered to a device'),
    lateOutcome: is('what the device said after the end'),
    progress: is('how far it is, while it runs'),
    findings: is('what a scan has found'),
    quarantined: is('what was killed and taken away; null where the action is about no file'),
    posture: is('what stands on the machine'),
  },
  Application: {
    '@odata.context': context,
    clientId: is('what it names itself by, asking for tokens'),
    objectId: is('the `oid` of its tokens'),
    displayName: is('its name; written on actions as the requestor'),
    enabled: is('false: no token is given, and those that it holds are refused'),
    permissions: is('what it may; a token permits no more than this, whenever it was given'),
    createdDateTime: is('when it was made; null where nobody wrote that down'),
    passwordCredentials: is('its secrets, without the secrets themselves'),
  },
  PasswordCredential: {
    keyId: is('id of the secret'),
    displayName: is('what it is for'),
    hint: is('its first three characters'),
    startDateTime: is('when it was made'),
    endDateTime: is('when it expires; null for never'),
  },
  EnrolmentTokenEntry: {
    id: is('id of the token'),
    state: is('only a valid one can be used'),
    createdDateTimeUtc: is('when it was made'),
    createdBy: is('who made it'),
    expirationDateTimeUtc: is('until when it can be used'),
    machineId: is('the device that it is for; null for a new one'),
    usedBy: is('the device that has enrolled with it'),
    revokedDateTimeUtc: is('when it was revoked'),
  },
  DeviceEntry: {
    '@odata.context': context,
    id: is('id of the machine'),
    state: is('may it speak?'),
    displayName: is('the name that it was given here; null where it was given none'),
    hostName: is('the name that its host says'),
    computerDnsName: is('the name that machines and actions show: `displayName`, else `hostName`'),
    keyThumbprint: is('the key of its last enrolment'),
    agentVersion: is('version of the agent'),
    firstSeen: is('when it was first known'),
    lastSeen: is('when it last spoke'),
    keyRevokedDateTimeUtc: is('since when its key may not speak'),
    retiredDateTimeUtc: is('since when it is out of service'),
  },
}
