import { Type } from 'typebox'
import { Application, PasswordCredential, longestSecretDays } from '../application.ts'
import { ListOf, oneOf } from '../machine-action.ts'
import type { Operation } from '../operation.ts'
import { administer, applicationPermissions } from '../permissions.ts'

const permissions = Type.Array(oneOf(applicationPermissions))
const expiresInDays = Type.Optional(Type.Integer({ minimum: 1, maximum: longestSecretDays }))
/** It cannot be asked for again. */
const secretText = Type.String()

/** Ours, not the reference's: who may ask for tokens, and what those permit. */
export const applications = {
  listApplications: {
    summary: 'Lists the applications that can ask for tokens.',
    method: 'GET',
    path: '/api/countermand/applications',
    permission: administer,
    limit: 'read',
    target: 'none',
    status: 200,
    reply: ListOf(Application),
  },
  createApplication: {
    summary: 'Makes an application with its first secret, which is shown this once.',
    method: 'POST',
    path: '/api/countermand/applications',
    permission: administer,
    limit: 'manage',
    target: 'none',
    mayConflict: true,
    body: Type.Object({ displayName: Type.String(), permissions, expiresInDays }),
    status: 201,
    reply: Type.Object({ ...Application.properties, secretText }),
  },
  getApplication: {
    summary: 'Gets one application.',
    method: 'GET',
    path: '/api/countermand/applications/:clientId',
    permission: administer,
    limit: 'read',
    target: 'application',
    status: 200,
    reply: Application,
  },
  updateApplication: {
    summary: 'Renames an application, disables or enables it, or gives it other permissions.',
    method: 'PATCH',
    path: '/api/countermand/applications/:clientId',
    permission: administer,
    limit: 'manage',
    target: 'application',
    mayConflict: true,
    // What is left out stays; a list of permissions takes the place of the former one.
    body: Type.Object({
      displayName: Type.Optional(Type.String()),
      permissions: Type.Optional(permissions),
      enabled: Type.Optional(Type.Boolean()),
    }),
    status: 200,
    reply: Application,
  },
  addSecret: {
    summary: 'Makes a further secret of an application, shown this once; the others stay good.',
    method: 'POST',
    path: '/api/countermand/applications/:clientId/secrets',
    permission: administer,
    limit: 'manage',
    target: 'application',
    body: Type.Object({ displayName: Type.Optional(Type.String()), expiresInDays }),
    status: 201,
    reply: Type.Object({
      '@odata.context': Type.String(),
      ...PasswordCredential.properties,
      secretText,
    }),
  },
  removeSecret: {
    summary: 'Removes a secret of an application: no token is given for it any more.',
    method: 'DELETE',
    path: '/api/countermand/applications/:clientId/secrets/:keyId',
    permission: administer,
    limit: 'manage',
    target: 'application',
    status: 204,
    reply: Type.Null(),
  },
} as const satisfies Record<string, Operation>
