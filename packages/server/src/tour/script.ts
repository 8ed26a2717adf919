/** The script that the tour runs and takes back. */
export const scriptName = 'countermand-tour.sh'
export const scriptText = '#!/bin/sh\nwhile :; do date; sleep 1; done\n'
export const scope = 'https://api.securitycenter.microsoft.com/.default'
export const runBody = {
  Comment: 'tour: a script that would run for ever',
  Commands: [{ type: 'RunScript', params: [{ key: 'ScriptName', value: scriptName }] }],
}
export const cancelBody = { Comment: 'tour: wrong button' }
