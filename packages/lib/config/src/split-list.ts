/**
 * split-list - split list-valued text at white space and commas
 */

const SEPARATORS = ' \t\r\n,'

/**
 * The items between separators, none empty. Braces protect separators inside them and nest; they stay
 * part of the item. A brace that is never closed protects the rest of the text.
 */
export function splitList(text: string, separators = SEPARATORS): string[] {
  const items: string[] = []
  let start = -1
  let depth = 0
  for (let at = 0; at < text.length; at++) {
    const char = text.charAt(at)
    if (depth === 0 && separators.includes(char)) {
      if (start >= 0) items.push(text.slice(start, at))
      start = -1
      continue
    }
    if (start < 0) start = at
    if (char === '{') depth++
    else if (char === '}' && depth > 0) depth--
  }
  if (start >= 0) items.push(text.slice(start))
  return items
}

/** As splitList(), without regard to braces. */
export function splitWords(text: string): string[] {
  return text.split(/[ \t\r\n,]+/).filter((word) => word !== '')
}
