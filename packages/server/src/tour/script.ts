/** The script that the tour runs and takes back. */
export const scriptName = 'countermand-tour.sh'
export const scriptText = '#!/bin/sh\nwhile :; do date; sleep 1; done\n'
export const scope = 'https://api.securitycenter.microsoft.com/.default'
/** Puts a file, runs what would run for ever, and would fetch a file if it ever came to that. */
export const runBody = {
  Comment: 'tour: a script that would run for ever',
  Commands: [
    { type: 'PutFile', params: [{ key: 'FileName', value: scriptName }] },
    { type: 'RunScript', params: [{ key: 'ScriptName', value: scriptName }] },
    { type: 'GetFile', params: [{ key: 'Path', value: '/etc/hostname' }] },
  ],
}
export const packageBody = { Comment: 'tour: what is there to see on this host' }
export const scanBody = { Comment: 'tour: a virus scan', ScanType: 'Full' }
export const cancelBody = { Comment: 'tour: wrong button' }
