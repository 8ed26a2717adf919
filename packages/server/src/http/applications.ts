import type { applications } from '@countermand/contract'
import {
  addSecret,
  listApplications,
  makeApplication,
  removeSecret,
  updateApplication,
} from '../app/administer-applications.ts'
import type { Handlers } from './operation.ts'
import { refuseUnknownOptions } from './page.ts'
import { contextOf, toApplication, toPasswordCredential } from './wire.ts'

const entity = (base: string): { '@odata.context': string } => ({
  '@odata.context': contextOf(base, 'Applications/$entity'),
})

export const applicationHandlers: Handlers<typeof applications> = {
  listApplications: async ({ app, query, base }) => {
    refuseUnknownOptions(query, [])
    return {
      '@odata.context': contextOf(base, 'Applications'),
      value: (await listApplications(app)).map(toApplication),
    }
  },

  createApplication: async ({ app, caller, body, base }) => {
    const { displayName: name, permissions, expiresInDays = null } = body
    const asked = { name, permissions, expiresInDays, by: caller.name }
    const { made, secretText } = await makeApplication(app, asked)
    return { ...entity(base), ...toApplication(made), secretText }
  },

  getApplication: ({ target, base }) => Promise.resolve({ ...entity(base), ...toApplication(target) }),

  updateApplication: async ({ app, caller, target, body, base }) => {
    const { displayName: name, permissions, enabled: isEnabled } = body
    const change = {
      ...(name !== undefined && { name }),
      ...(permissions !== undefined && { permissions }),
      ...(isEnabled !== undefined && { isEnabled }),
    }
    const changed = await updateApplication(app, { id: target.id, change, by: caller.name })
    return { ...entity(base), ...toApplication(changed) }
  },

  addSecret: async ({ app, caller, target, body, base }) => {
    const { displayName: name = null, expiresInDays = null } = body
    const asked = { id: target.id, name, expiresInDays, by: caller.name }
    const { made, secretText } = await addSecret(app, asked)
    return {
      '@odata.context': contextOf(base, 'PasswordCredentials/$entity'),
      ...toPasswordCredential(made),
      secretText,
    }
  },

  removeSecret: async ({ app, caller, target, params }) => {
    await removeSecret(app, { id: target.id, keyId: params.keyId, by: caller.name })
    return null
  },
}
