/**
 * sort-recipients - the order in which recipients of one message are resolved and grouped
 */
import type { Recipient } from '@posthorn/wire/attr-groups'

/** By domain without regard to case, then by address; recipients without domain last. */
export function compareRecipients(a: Recipient, b: Recipient): number {
  const atOfA = a.recipient.lastIndexOf('@')
  const atOfB = b.recipient.lastIndexOf('@')
  if (atOfA < 0 !== atOfB < 0) return atOfA < 0 ? 1 : -1
  if (atOfA >= 0) {
    const difference = compareOctets(
      a.recipient.slice(atOfA + 1).toLowerCase(),
      b.recipient.slice(atOfB + 1).toLowerCase(),
    )
    if (difference !== 0) return difference
  }
  return compareOctets(a.recipient, b.recipient)
}

function compareOctets(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1
}
