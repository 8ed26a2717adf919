import type { Permission } from '../permissions.ts'

/** The display names as the reference's pages have them, and ours in the same manner. */
export const permissionNames: Readonly<Record<Permission, string>> = {
  'Machine.Read.All': 'Read all machine profiles',
  'Machine.ReadWrite.All': 'Read and write all machine information',
  'Machine.Read': 'Read machine information',
  'Machine.ReadWrite': 'Read and write machine information',
  'Machine.CollectForensics': 'Collect forensics',
  'Machine.Isolate': 'Isolate machine',
  'Machine.RestrictExecution': 'Restrict code execution',
  'Machine.Scan': 'Scan machine',
  'Machine.Offboard': 'Offboard machine',
  'Machine.StopAndQuarantine': 'Stop And Quarantine',
  'Machine.LiveResponse': 'Run live response on a specific machine',
  'Library.Manage': 'Manage live response library',
  'User.Read.All': 'Read user profiles',
  'Alert.Read.All': 'Read all alerts',
  'Alert.ReadWrite.All': 'Read and write all alerts',
  'Alert.Read': 'Read alerts',
  'Alert.ReadWrite': 'Read and write alerts',
  'Countermand.Force': 'End an action without proof (reserved)',
  'Countermand.Administer': 'Administer Countermand',
  'Countermand.Release': 'Lift what stands on the spot',
}
