/** The configuration file: YAML text → what is set, or a sentence with the line; and what is set → YAML text. */
import { Errors } from 'typebox/schema'
import { LineCounter, isMap, isNode, isScalar, parseDocument, stringify, type Document } from 'yaml'
import {
  ConfigError,
  settingNames,
  settings,
  twinOf,
  flagOf,
  isSetting,
  type Setting,
  type SettingName,
  type Settings,
} from './settings.ts'

/** @throws ConfigError `countermand.yaml:7: sessions takes …`, for the first thing that is wrong. */
export function readFileText(text: string, fileName: string): Settings {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false })
  const at = (offset: number): string => `${fileName}:${lines.linePos(offset).line}`
  const [wrong] = document.errors
  if (wrong !== undefined) throw new ConfigError(`${at(wrong.pos[0])}: ${wrong.message}`)
  if (document.contents === null) return {}
  if (!isMap(document.contents)) throw new ConfigError(`${at(0)}: lines such as "sessions: 25" are expected`)
  for (const { key } of document.contents.items) {
    const name = isScalar(key) ? String(key.value) : ''
    const where = at((isScalar(key) ? key.range?.[0] : undefined) ?? 0)
    if (!isSetting(name)) throw new ConfigError(`${where}: there is no setting ${name}${suggestion(name)}`)
    const { notInFile }: Setting = settings[name]
    if (notInFile !== undefined)
      throw new ConfigError(
        `${where}: ${name} is a flag (--${flagOf(name)}) and ${twinOf(name)} only: ${notInFile}`,
      )
    const wrongAt = placeOf(document, name)
    if (wrongAt !== null)
      throw new ConfigError(
        `${at(offsetOf(document, wrongAt))}: ${wrongAt.join('.')}: ${name} ${settings[name].says}`,
      )
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- each value has been looked at by its own schema.
  return document.toJS() as Settings
}

/** Somebody who writes the flag's name, or another case, is told the right one. */
function suggestion(name: string): string {
  const bare = name.replaceAll(/[-_]/g, '').toLowerCase()
  const meant = settingNames.find((known) => known.toLowerCase() === bare)
  return meant === undefined ? '; --help lists those that there are' : `; did you mean ${meant}?`
}

type Place = readonly (string | number)[]

/** Where a setting's value does not fit; null when it does. */
function placeOf(document: Document, name: SettingName): Place | null {
  const value: unknown = document.toJS()[name]
  const [, [first]] = Errors(settings[name].schema, value)
  if (first === undefined) return null
  const inner = first.instancePath.split('/').slice(1)
  const unknown =
    first.keyword === 'additionalProperties' ? first.params.additionalProperties.slice(0, 1) : []
  return [name, ...inner, ...unknown].map((part) => (/^\d+$/.test(part) ? Number(part) : part))
}

/** Of the key where it is a name's, else of the value; as near as the document has it. */
function offsetOf(document: Document, place: Place): number {
  const holder = place.length === 1 ? document.contents : document.getIn(place.slice(0, -1), true)
  const last = place.at(-1)
  const key = isMap(holder) && holder.items.find((item) => isScalar(item.key) && item.key.value === last)?.key
  if (isScalar(key)) return key.range?.[0] ?? 0
  const value = document.getIn(place, true)
  return isNode(value) ? (value.range?.[0] ?? 0) : 0
}

/** One setting as lines of a file, with who has said it; a comment where it may not stand there, or where nothing is set. */
export function printed(name: SettingName, value: unknown, by: string): string {
  const { notInFile, standing }: Setting = settings[name]
  const isRecord = typeof standing === 'object' && standing !== null && !Array.isArray(standing)
  const whole = isRecord ? Object.assign({}, standing, value) : (value ?? standing)
  if (whole === undefined) return `# ${name}:\n`
  const [first = '', ...rest] = stringify({ [name]: masked(whole) }).split('\n')
  return [`${notInFile === undefined ? '' : '# '}${first} # ${by}`, ...rest].join('\n')
}

/** A password in an address. */
const masked = (value: unknown): unknown =>
  typeof value === 'string' ? value.replace(/^(\w+:\/\/[^:/@]*):[^@]*@/, '$1:***@') : value
