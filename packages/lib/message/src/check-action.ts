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
  /** text: `transport:nexthop`; the transport is not empty, there is a colon. */
  | { readonly kind: 'filter'; readonly text: string }
  /** text: an address with `@`. */
  | { readonly kind: 'redirect'; readonly text: string }
  | { readonly kind: 'bcc'; readonly text: string }
  /** Something is wrong with the table: the text is the warning; the line is treated as if nothing matched. */
  | { readonly kind: 'invalid'; readonly warning: string }

/** @param value the result of a lookup */
export function parseCheckAction(value: string): CheckAction {
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
      if (text === '') return invalid(`${verb.toUpperCase()} action without text`)
      return { kind, text }
    case 'filter':
      if (!/^[^:]+:/.test(text)) return invalid(`bad FILTER command: ${text}`)
      return { kind, text }
    case 'redirect':
    case 'bcc':
      if (!text.includes('@')) return invalid(`bad ${verb.toUpperCase()} target: ${text}`)
      return { kind, text }
    default:
      return invalid(`unknown command: ${value}`)
  }
}

function invalid(warning: string): CheckAction {
  return { kind: 'invalid', warning }
}
