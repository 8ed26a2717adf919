import { join } from 'node:path'
import { cancelBody, packageBody, runBody, scanBody, scope, scriptName, scriptText } from './script.ts'

/** The tour as lines for a shell, made from the credentials file, so that no secret stands on the screen. */
export function printTour(
  { dataFolder, caFile }: { readonly dataFolder: string; readonly caFile: string | null },
  say: (line: string) => void,
): void {
  const curl = caFile === null ? 'curl -s' : 'curl -s --cacert "$(c caFile)"'
  const printable = scriptText.replaceAll('\n', '\\n')
  const lines = [
    '',
    'A package of evidence, a virus scan and a script on this host; the last two taken back with proof. Paste this into a second terminal, or say: npm run tour',
    '',
    `c() { node -p "require('${join(dataFolder, 'credentials.json')}').$1"; }`,
    `pick() { node -p "JSON.parse(require('fs').readFileSync(0)).$1"; }`,
    `TOKEN=$(${curl} "$(c tokenUrl)" -d grant_type=client_credentials -d client_id=$(c clientId) -d client_secret=$(c clientSecret) -d scope=${scope} | pick access_token)`,
    `api() { p=$1; shift; ${curl} -H "Authorization: Bearer $TOKEN" "$(c apiUrl)/api/$p" "$@"; echo; }`,
    `printf '${printable}' > /tmp/${scriptName}`,
    `api libraryfiles -F file=@/tmp/${scriptName} -F OverrideIfExists=true`,
    `api machines/$(c machineId)/collectInvestigationPackage -d '${JSON.stringify(packageBody)}'`,
    `SCAN=$(api machines/$(c machineId)/runAntiVirusScan -d '${JSON.stringify(scanBody)}'); echo "$SCAN"`,
    `ID=$(api machines/$(c machineId)/runliveresponse -d '${JSON.stringify(runBody)}' | pick id); sleep 2`,
    'api machineactions/$ID',
    `case $SCAN in *'"id"'*) api machineactions/$(echo "$SCAN" | pick id)/cancel -d '${JSON.stringify(cancelBody)}';; esac`,
    `api machineactions/$ID/cancel -d '${JSON.stringify(cancelBody)}'`,
    'api countermand/actions/$ID/events',
    '',
  ]
  for (const line of lines) say(line)
}
