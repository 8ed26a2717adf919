import type { RunType } from '@countermand/contract'
import { collect } from './collect.ts'
import type { Executor } from './executor.ts'
import { liveResponse } from './live-response.ts'
import { offboard } from './offboard.ts'
import { quarantine } from './quarantine.ts'
import { scan } from './scan.ts'

/** An executor for every type that runs as work; a missing one does not compile. */
export const executors: Readonly<Record<RunType, Executor>> = {
  LiveResponse: liveResponse,
  CollectInvestigationPackage: collect,
  RunAntiVirusScan: scan,
  Offboard: offboard,
  StopAndQuarantineFile: quarantine,
}
