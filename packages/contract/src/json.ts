/** Levels of arrays and objects that a text from the wire may have. Nothing that is understood needs a third of them. */
export const deepestJson = 32

/** Thrown for a text that is nested deeper. */
export class TooDeep extends Error {
  constructor() {
    super(`it is nested deeper than ${deepestJson} levels`)
    this.name = 'TooDeep'
  }
}

/**
 * JSON of somebody who is not known: its depth is looked at before it is a value, because whatever walks a value calls itself for each
 * level. @throws TooDeep, or SyntaxError for what is no JSON
 */
export function parseJson(text: string): unknown {
  refuseDeep(text)
  return JSON.parse(text)
}

function refuseDeep(text: string): void {
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    switch (text.charAt(at)) {
      case '"':
        at = endOfString(text, at)
        break
      case '{':
      case '[':
        depth += 1
        if (depth > deepestJson) throw new TooDeep()
        break
      case '}':
      case ']':
        depth -= 1
    }
  }
}

/** Where the string that begins at `from` ends; the end of the text where it does not. */
function endOfString(text: string, from: number): number {
  for (let at = from + 1; at < text.length; at += 1) {
    if (text[at] === '\\') at += 1
    else if (text[at] === '"') return at
  }
  return text.length
}
