/**
 * header-addresses - rewrites the addresses of a header, and nothing else of it
 *
 * Most headers have only addresses that no rule can change: that is seen without taking them apart. A header in which no
 * address changes stays as it is, blanks and folding included; one that changes is folded anew.
 *
 * Limit: header_address_token_limit words are looked at.
 * Source: Postfix 3.7 cleanup(8).
 */
import { isCompleteAddress } from '@posthorn/address/complete-address'
import { formatAddressList, parseAddressList } from '@posthorn/address/address-list'
import { foldHeader } from '@posthorn/message/header-line'
import { cutFoldedHeader } from './cut-header.ts'
import type { RewriteRule } from './address-rewriter.ts'
import type { CleanupContext } from './cleanup-context.ts'
import type { MappingClass } from './mapping-class.ts'
import type { Message } from './message.ts'

export interface HeaderRewriting {
  /** The logical header. */
  readonly text: string
  readonly rule: RewriteRule
  readonly mapped: MappingClass
}

export function rewriteHeader(
  message: Message,
  context: CleanupContext,
  header: HeaderRewriting,
): string | Promise<string> {
  const { text, mapped } = header
  const value = text.slice(text.indexOf(':') + 1)
  const hasMapping = context.mapping.appliesTo(message, mapped)
  if (!hasMapping && isPlainList(value)) return text
  const nodes = parseAddressList(value, context.settings.headerTokenLimit)
  const changes: Promise<void>[] = []
  let isChanged = false
  for (const [at, node] of nodes.entries()) {
    if (node.kind !== 'address' || node.text === '') continue
    const change = (address: string): void => {
      if (address === node.text) return
      nodes[at] = { kind: 'address', text: address }
      isChanged = true
    }
    const result = context.mapping.headerAddress(message, node.text, header)
    if (typeof result === 'string') change(result)
    else changes.push(result.then(change))
  }
  const finish = (): string => {
    if (!isChanged) return text
    const folded = foldHeader(text.slice(0, text.indexOf(':')), formatAddressList(nodes))
    // Addresses that became longer can take a header beyond the limit.
    return cutFoldedHeader(folded, context.settings.headerSizeLimit)
  }
  return changes.length === 0 ? finish() : Promise.all(changes).then(finish)
}

/** Only `user@host.domain` and `Name <user@host.domain>`, separated by commas; no quotes, comments or groups. */
function isPlainList(value: string): boolean {
  if (/["(\\:;[]/.test(value)) return false
  return value.split(',').every((item) => {
    const open = item.indexOf('<')
    if (open < 0) return isCompleteAddress(item.trim())
    const close = item.indexOf('>')
    if (close < open) return false
    return isCompleteAddress(item.slice(open + 1, close)) && item.slice(close + 1).trim() === ''
  })
}
