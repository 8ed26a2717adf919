import { operations } from '@countermand/contract'
import { printCompatibility } from '@countermand/contract/documents/compatibility'
import { printOpenApi } from '@countermand/contract/documents/openapi'
import { refusalStatus } from '../core/errors.ts'

/** The documents that are printed from the contract, by their path in the repository. */
export function printouts(): Record<string, string> {
  const openapi = printOpenApi({
    operations,
    errors: refusalStatus,
    server: 'http://127.0.0.1:8600',
    tenantId: '00000000-0000-0000-0000-000000000000',
  })
  return {
    'docs/openapi.json': `${JSON.stringify(openapi, null, 2)}\n`,
    'docs/compatibility.md': printCompatibility(operations),
  }
}
