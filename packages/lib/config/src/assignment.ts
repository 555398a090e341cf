/**
 * assignment - `name = value`, as in main.cf and after `-o`
 */
import { isSpaceCode, trimSpace } from './logical-lines.ts'

export type Assignment =
  | { readonly kind: 'assignment'; readonly name: string; readonly value: string }
  | { readonly kind: 'malformed'; readonly why: string }

/**
 * Splits at the first `=`. White space around name and value goes, what is inside the value stays.
 * A NUL octet ends name or value, as in Postfix 3.7.
 */
export function splitAssignment(line: string): Assignment {
  let at = 0
  while (at < line.length && isSpaceCode(line.charCodeAt(at))) at++
  const start = at
  while (at < line.length && line[at] !== '=' && !isSpaceCode(line.charCodeAt(at))) at++
  const name = line.slice(start, at)
  if (name === '') return { kind: 'malformed', why: 'missing attribute name' }
  while (at < line.length && isSpaceCode(line.charCodeAt(at))) at++
  if (line[at] !== '=') return { kind: 'malformed', why: "missing '=' after attribute name" }
  const value = trimSpace(line.slice(at + 1))
  return { kind: 'assignment', name: untilNul(name), value: untilNul(value) }
}

function untilNul(text: string): string {
  const end = text.indexOf('\0')
  return end < 0 ? text : text.slice(0, end)
}
