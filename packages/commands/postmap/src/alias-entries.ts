/**
 * alias-entries - the entries of an alias file: `name: value, value`
 *
 * The name is local and stands without its quotes; values are the items between commas, in external form.
 * Source: Postfix 3.7 aliases(5), postalias(1).
 */
import {
  DEFAULT_TOKEN_LIMIT,
  tokenizeAddresses,
  type AddressToken,
} from '@posthorn/address/address-token'
import { readLogicalLines } from '@posthorn/config/logical-lines'
import type { TableEntry } from '@posthorn/tables/table-source'

/** Lines that are none are left out. */
export function readAliases(
  text: string,
  path: string,
  warn: (text: string) => void,
): TableEntry[] {
  const entries: TableEntry[] = []
  for (const { text: line, first } of readLogicalLines(text, path, warn)) {
    const tokens = tokenizeAddresses(line, DEFAULT_TOKEN_LIMIT)
    const colon = tokens.findIndex((token) => isSpecial(token, ':'))
    const name = tokens.slice(0, Math.max(colon, 0)).filter(({ kind }) => kind !== 'comment')
    const value = joinItems(tokens.slice(colon + 1), line)
    if (colon < 0 || name.length === 0 || value === '') {
      warn(`${path}, line ${first}: need name:value pair`)
    } else if (
      name.some(
        (token) => isSpecial(token, '@') || isSpecial(token, ',') || token.text.includes('%'),
      )
    ) {
      warn(`${path}, line ${first}: name must be local`)
    } else {
      entries.push({ key: name.map(({ text }) => text).join(''), value, line: first })
    }
  }
  return entries
}

function isSpecial({ kind, text }: AddressToken, special: string): boolean {
  return kind === 'special' && text === special
}

/** Blanks around these mean nothing. */
function sticks(token: AddressToken | undefined): boolean {
  return token?.kind === 'special' && /^[.:;@]$/.test(token.text)
}

function joinItems(tokens: readonly AddressToken[], line: string): string {
  const items: string[] = []
  let item = ''
  let before: AddressToken | undefined
  for (const token of tokens) {
    if (isSpecial(token, ',')) {
      if (item !== '') items.push(item)
      item = ''
    } else {
      const text = token.kind === 'quoted' ? line.slice(token.start, token.end) : token.text
      const isApart = before !== undefined && token.start > before.end
      item += (item !== '' && isApart && !sticks(before) && !sticks(token) ? ' ' : '') + text
    }
    before = token
  }
  if (item !== '') items.push(item)
  return items.join(', ')
}
