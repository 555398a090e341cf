/**
 * sort-srv - the order in which the servers of a service are tried (RFC 2782)
 *
 * By priority; among equals each place is drawn by lot, where a weight is so many tickets.
 */
import type { DnsRecord } from './dns-answer.ts'

export function sortSrv(
  records: readonly DnsRecord<'SRV'>[],
  random: () => number = Math.random,
): DnsRecord<'SRV'>[] {
  // those of weight 0 first: they are drawn only when the lot is 0
  const left = [...records].sort(
    (one, other) => one.priority - other.priority || one.weight - other.weight,
  )
  const sorted: DnsRecord<'SRV'>[] = []
  for (;;) {
    const [first] = left
    if (first === undefined) return sorted
    const group = left.filter((record) => record.priority === first.priority)
    const total = group.reduce((sum, record) => sum + record.weight, 0)
    // RFC 2782: a whole number between 0 and the sum, both included
    let lot = Math.floor(random() * (total + 1))
    const drawn = group.find((record) => (lot -= record.weight) <= 0) ?? first
    left.splice(left.indexOf(drawn), 1)
    sorted.push(drawn)
  }
}
