/**
 * sort-mx - the order in which mail exchangers are tried (RFC 5321 5.1)
 */
import type { DnsRecord } from './dns-answer.ts'

/** Fisher and Yates: every order is equally likely. Returns a new array. */
export function shuffle<Item>(items: readonly Item[], random: () => number = Math.random): Item[] {
  const shuffled = [...items]
  for (let last = shuffled.length - 1; last > 0; last--) {
    const other = Math.floor(random() * (last + 1))
    const item = shuffled[last]
    const swapped = shuffled[other]
    if (item === undefined || swapped === undefined) break
    shuffled[last] = swapped
    shuffled[other] = item
  }
  return shuffled
}

/** By preference; records of equal preference in random order, so that their hosts share the load. */
export function sortMx(
  records: readonly DnsRecord<'MX'>[],
  random: () => number = Math.random,
): DnsRecord<'MX'>[] {
  return shuffle(records, random).sort((one, other) => one.preference - other.preference)
}
