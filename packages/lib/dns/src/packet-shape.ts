/**
 * packet-shape - is a DNS packet as long as it says
 *
 * The decoder believes the lengths that it finds, and makes up what is missing: half an address becomes another one.
 * So everything is measured first: names, records and the addresses in them end inside the packet.
 * Source: RFC 1035 4.1, RFC 3596 2.2.
 */
const HEADER_OCTETS = 12
/** Type, class, TTL and length of a record. */
const RECORD_HEAD_OCTETS = 10
const ADDRESS_OCTETS: ReadonlyMap<number, number> = new Map([
  [1, 4], // A
  [28, 16], // AAAA
])

/** The place behind a name, whose labels or pointer stand at `at`; -1: it does not end, or is no name. */
function behindName(octets: Buffer, at: number): number {
  for (;;) {
    const length = octets[at]
    if (length === undefined) return -1
    if (length === 0) return at + 1
    if (length >= 0xc0) return at + 2
    if (length > 63) return -1
    at += length + 1
  }
}

/** The place behind a record; -1: it is cut, or its data do not fit its type. */
function behindRecord(octets: Buffer, start: number): number {
  const at = behindName(octets, start)
  if (at < 0 || at + RECORD_HEAD_OCTETS > octets.length) return -1
  const length = octets.readUInt16BE(at + 8)
  const wanted = ADDRESS_OCTETS.get(octets.readUInt16BE(at))
  if (wanted !== undefined && wanted !== length) return -1
  const end = at + RECORD_HEAD_OCTETS + length
  return end <= octets.length ? end : -1
}

export function isWholePacket(octets: Buffer): boolean {
  if (octets.length < HEADER_OCTETS) return false
  let at = HEADER_OCTETS
  for (let left = octets.readUInt16BE(4); left > 0; left--) {
    const end = behindName(octets, at)
    if (end < 0 || end + 4 > octets.length) return false
    at = end + 4
  }
  const records = octets.readUInt16BE(6) + octets.readUInt16BE(8) + octets.readUInt16BE(10)
  for (let left = records; left > 0; left--) {
    at = behindRecord(octets, at)
    if (at < 0) return false
  }
  return true
}
