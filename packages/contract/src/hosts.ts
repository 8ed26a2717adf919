/** The names that clients of the reference have built in. A server that these lead to answers on each of them alike. */

/** Where its regions are reached. */
const regionalHosts = [
  ...['us', 'eu', 'uk', 'au', 'swa', 'ina', 'aea'].map((region) => `${region}.api.security.microsoft.com`),
  ...['us', 'eu', 'uk', 'au'].map((region) => `api-${region}.securitycenter.microsoft.com`),
  'api-us.securitycenter.windows.com',
]

/** Hosts of the API, older ones and those of governments included (`wire.md` 11). */
export const apiHosts: readonly string[] = [
  'api.security.microsoft.com',
  'api.securitycenter.microsoft.com',
  'api.securitycenter.windows.com',
  'api-gcc.securitycenter.microsoft.us',
  'api-gov.securitycenter.microsoft.us',
  ...regionalHosts,
]

/** Where its clients sign in (`wire.md` 10, 11); to them this server is the same authority. */
export const signInHosts: readonly string[] = ['login.microsoftonline.com', 'login.microsoftonline.us']
