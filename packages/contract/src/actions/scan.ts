import { Type, type Static } from 'typebox'
import { minutes, type ActionTypeRow } from './action-type.ts'

/** RunAntiVirusScan: looks for malware and reports what it found. It changes nothing, so its cancel has nothing to undo. */
export const runAntiVirusScan = {
  permission: 'Machine.Scan',
  reversible: false,
  runLimitMs: minutes(24 * 60),
} as const satisfies ActionTypeRow

/** A quick scan that takes longer than this hangs. */
export const quickScanLimitMs = minutes(2 * 60)

/** `Quick`: the places that malware starts from. `Full`: every local file system. (`wire.md` 1.2, 17) */
export const scanTypes = ['Quick', 'Full'] as const
export type ScanType = (typeof scanTypes)[number]

export const ScanParameters = Type.Object({
  scanType: Type.Unsafe<ScanType>({ type: 'string', enum: [...scanTypes] }),
})
export type ScanParameters = Static<typeof ScanParameters>

/** Something that a scanner knows, and where. */
export const Finding = Type.Object({
  path: Type.String({ maxLength: 4096 }),
  signature: Type.String({ maxLength: 4096 }),
})
export type Finding = Static<typeof Finding>
export const maxFindings = 200
