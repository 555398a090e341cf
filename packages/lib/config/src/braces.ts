/**
 * braces - text in balanced braces
 */
import { trimSpace } from './logical-lines.ts'

/** Index of the closer that balances the opener at `from`; -1 when there is none. */
export function findBalanced(text: string, from: number, opener = '{', closer = '}'): number {
  let depth = 0
  for (let at = from; at < text.length; at++) {
    const char = text.charAt(at)
    if (char === opener) depth++
    else if (char === closer && --depth === 0) return at
  }
  return -1
}

export type Unbraced =
  | { readonly kind: 'payload'; readonly text: string }
  | { readonly kind: 'malformed'; readonly why: string }

/** The trimmed inside of an item that starts with `{` and must end with the matching `}`. */
export function unbrace(item: string): Unbraced {
  if (!item.startsWith('{'))
    return { kind: 'malformed', why: `no '{' at start of text in "${item}"` }
  const end = findBalanced(item, 0)
  if (end < 0) return { kind: 'malformed', why: `missing '}' in "${item}"` }
  if (trimSpace(item.slice(end + 1)) !== '') {
    return { kind: 'malformed', why: `syntax error after '}' in "${item}"` }
  }
  return { kind: 'payload', text: trimSpace(item.slice(1, end)) }
}
