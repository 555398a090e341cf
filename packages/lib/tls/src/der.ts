/**
 * der - the elements of DER: X.690 8.1, 10.1
 */

export interface DerElement {
  /** As it stands: class, form and number, which is below 31 in certificates. */
  readonly tag: number
  readonly content: Buffer
}

/** What follows one another in these octets. @throws {RangeError} they are not DER */
export function children(octets: Buffer): DerElement[] {
  const elements: DerElement[] = []
  let at = 0
  while (at < octets.length) {
    const tag = octets[at] ?? 0
    const { length, size } = readLength(octets, at + 1)
    const from = at + 1 + size
    if ((tag & 0x1f) === 0x1f || from + length > octets.length) {
      throw new RangeError(`Cannot read DER at ${at}: element does not end within ${octets.length}`)
    }
    elements.push({ tag, content: octets.subarray(from, from + length) })
    at = from + length
  }
  return elements
}

/** @throws {RangeError} */
function readLength(octets: Buffer, at: number): { length: number; size: number } {
  const first = octets[at]
  if (first === undefined) throw new RangeError(`Cannot read DER at ${at}: no length`)
  if (first < 0x80) return { length: first, size: 1 }
  const count = first & 0x7f
  if (count === 0 || count > 4 || at + count >= octets.length) {
    throw new RangeError(`Cannot read DER at ${at}: length of ${count} octets`)
  }
  return { length: octets.readUIntBE(at + 1, count), size: 1 + count }
}
