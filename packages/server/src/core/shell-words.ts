import { Refusal } from './errors.ts'

/**
 * Splits `Args` as a shell would split quotes, and expands nothing: no variables, no globs, no operators. Blanks
 * separate; '…' is literal; inside "…" a backslash escapes `"` and `\`; outside, any character.
 * @throws Refusal InvalidInput when a quote is left open.
 */
export function splitWords(text: string): readonly string[] {
  const words: string[] = []
  let word: string | null = null
  let quote: "'" | '"' | null = null
  for (let at = 0; at < text.length; at += 1) {
    const char = text.charAt(at)
    const next = text.charAt(at + 1)
    if (quote === null && /\s/.test(char)) {
      if (word !== null) words.push(word)
      word = null
    } else if (quote === null && (char === "'" || char === '"')) {
      quote = char
      word ??= ''
    } else if (char === quote) {
      quote = null
    } else if (
      char === '\\' &&
      next !== '' &&
      (quote === null || (quote === '"' && (next === '"' || next === '\\')))
    ) {
      word = (word ?? '') + next
      at += 1
    } else {
      word = (word ?? '') + char
    }
  }
  if (quote !== null) throw new Refusal('InvalidInput', `Args: the quote ${quote} is never closed.`)
  if (word !== null) words.push(word)
  return words
}
