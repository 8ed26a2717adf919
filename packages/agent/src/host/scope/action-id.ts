// A scope is named after its action, and its path is journalled, read back, and ended as root: so it must be what it seems.
import { basename } from 'node:path'

const uuid = '[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}'

/** Matches a path inside a scope of this or another agent: `…/countermand-NAME/ID` and below; group 1 is what is above. */
export const insideScope = new RegExp(`^(.*)/countermand-[^/]+/${uuid}(?:/.*)?$`)

/** Throws unless this is a UUID in lower case: nothing else may become a folder's name. */
export function refuseUnlessId(actionId: string): void {
  if (!new RegExp(`^${uuid}$`).test(actionId)) throw new Error(`${JSON.stringify(actionId)} is no action id.`)
}

/** Throws unless the scope is the one of this action. */
export function refuseUnlessOf(scope: string, actionId: string): void {
  refuseUnlessId(actionId)
  if (basename(scope) !== actionId) throw new Error(`${scope} is not the scope of ${actionId}.`)
}
