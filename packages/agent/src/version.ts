import manifest from '../package.json' with { type: 'json' }

/** The one version of the whole project. */
export const agentVersion: string = manifest.version
