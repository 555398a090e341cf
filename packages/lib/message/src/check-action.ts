/**
 * check-action - what a header_checks or body_checks table tells to do
 *
 * Sources: Postfix 3.7 header_checks(5).
 */
export type CheckAction =
  | { readonly kind: 'dunno' }
  | { readonly kind: 'ignore' }
  | { readonly kind: 'strip'; readonly text: string }
  | { readonly kind: 'warn'; readonly text: string }
  | { readonly kind: 'info'; readonly text: string }
  | { readonly kind: 'hold'; readonly text: string }
  | { readonly kind: 'discard'; readonly text: string }
  | { readonly kind: 'pass'; readonly text: string }
  /** text: the reason, with or without an enhanced status code; may be empty. */
  | { readonly kind: 'reject'; readonly text: string }
  | { readonly kind: 'prepend'; readonly text: string }
  | { readonly kind: 'replace'; readonly text: string }
  /** text: `transport:nexthop`; either may be empty, there is a colon. */
  | { readonly kind: 'filter'; readonly text: string }
  /** text: an address with `@`. */
  | { readonly kind: 'redirect'; readonly text: string }
  | { readonly kind: 'bcc'; readonly text: string }
  /** Something is wrong with the table: the text is the warning; the line is treated as if nothing matched. */
  | { readonly kind: 'invalid'; readonly warning: string }

/**
 * @param value the result of a lookup
 * @param map the parameter that named the table, for warnings
 */
export function parseCheckAction(value: string, map: string): CheckAction {
  const found = /^[ \t]*([^ \t]*)[ \t]*([^]*)$/.exec(value)
  const verb = found?.[1] ?? ''
  const text = found?.[2] ?? ''
  const kind = verb.toLowerCase()
  switch (kind) {
    case 'dunno':
    case 'ok':
      return { kind: 'dunno' }
    case 'ignore':
      return { kind }
    case 'strip':
    case 'warn':
    case 'info':
    case 'hold':
    case 'discard':
    case 'pass':
    case 'reject':
      return { kind, text }
    case 'prepend':
    case 'replace':
      if (text === '') return invalid(`${kind.toUpperCase()} action without text in ${map} map`)
      return { kind, text }
    case 'filter':
      if (text === '') return invalid(`missing FILTER command argument in ${map} map`)
      if (!text.includes(':')) {
        return invalid(`bad FILTER command ${text} in ${map} -- need transport:destination`)
      }
      return { kind, text }
    case 'redirect':
      if (!text.includes('@')) {
        return invalid(`bad REDIRECT target "${text}" in ${map} map -- need user@domain`)
      }
      return { kind, text }
    case 'bcc':
      if (!text.includes('@')) {
        return invalid(`bad BCC address "${text}" in ${map} map -- need user@domain`)
      }
      return { kind, text }
    default:
      return invalid(`unknown command in ${map} map: ${value}`)
  }
}

function invalid(warning: string): CheckAction {
  return { kind: 'invalid', warning }
}
