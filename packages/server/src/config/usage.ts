import { flagNames, flagOf, settings, twinOf, type Setting } from './settings.ts'

const column = 32
const twinColumn = 35

/** `npm start -- --help` */
export const usage = [
  'npm start -- [flags]          each flag has a twin in the environment, and a line in the file: --put-limit is putLimit there',
  ...flagNames.flatMap((name) => {
    const { takes, help } = settings[name] as Setting
    const [first = '', ...rest] = typeof help === 'string' ? [help] : help
    const flag = `  --${flagOf(name)}${takes === null ? '' : ` ${takes}`}`.padEnd(column)
    const twin = `${twinOf(name)}${takes === null ? '=1' : ''}`.padEnd(twinColumn)
    const more = rest.map((line) => ' '.repeat(column + twinColumn) + line)
    return [`${flag}${flag.endsWith(' ') ? '' : ' '}${twin}${first}`.trimEnd(), ...more]
  }),
  `  ${'--print-config'.padEnd(column - 2)}${' '.repeat(twinColumn)}what is set, and by whom; starts nothing`,
  '',
].join('\n')
