/**
 * alias-value - what stands on the right-hand side of an alias, or in a line of a .forward or :include: file
 *
 *     ann, "|/usr/bin/filter -x", /var/log/copy, :include:/etc/list, Bob Doe <bob@example.org> (comment)
 *
 * What an item is, its first character says once the quotes are off. Source: Postfix 3.7 aliases(5); RFC 5322 3.4.
 */
import { listAddresses } from '@posthorn/address/address-list'
import { unquoteAddress } from '@posthorn/address/quote-address'

export type Destination =
  /** Internal form, as it stands there: without domain it is of this system. */
  | { readonly kind: 'address'; readonly address: string }
  | { readonly kind: 'include'; readonly path: string }
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'command'; readonly command: string }

const include = /^:include:/i

/** In their order; nothing is refused. */
export function parseAliasValue(value: string): Destination[] {
  return splitItems(value).flatMap(parseItem)
}

/** The lines of a file: each is a value of its own; those that begin with `#` say nothing. */
export function parseAliasLines(text: string, lineLimit: number): Destination[] {
  const found: Destination[] = []
  for (const line of text.split('\n')) {
    if (line.startsWith('#')) continue
    for (let at = 0; at < line.length; at += lineLimit) {
      found.push(...parseAliasValue(line.slice(at, at + lineLimit)))
    }
  }
  return found
}

function parseItem(item: string): Destination[] {
  if (include.test(item)) return [{ kind: 'include', path: item.slice(':include:'.length).trim() }]
  if (item === '""') return [{ kind: 'address', address: '' }]
  const addresses = item.startsWith('/') || item.startsWith('|') ? [item] : listAddresses(item)
  return addresses.map((external): Destination => {
    const address = external === item && /^[/|]/.test(item) ? item : unquoteAddress(external)
    if (include.test(address)) return { kind: 'include', path: address.slice(':include:'.length) }
    if (address.startsWith('/')) return { kind: 'file', path: address }
    if (address.startsWith('|')) return { kind: 'command', command: address.slice(1).trim() }
    return { kind: 'address', address }
  })
}

/** Splits at commas outside of quotes and comments. */
function splitItems(value: string): string[] {
  const items: string[] = []
  let from = 0
  let depth = 0
  let quote = ''
  for (let at = 0; at <= value.length; at += 1) {
    const char = value.charAt(at)
    if (char === '\\') {
      at += 1
    } else if (quote !== '') {
      if (char === quote) quote = ''
    } else if (char === '"') {
      quote = '"'
    } else if (char === '(') {
      depth += 1
    } else if (char === ')') {
      depth -= 1
    } else if (at >= value.length || (char === ',' && depth <= 0)) {
      items.push(value.slice(from, at).trim())
      from = at + 1
    }
  }
  if (from < value.length) items.push(value.slice(from).trim())
  return items.filter((item) => item !== '')
}
