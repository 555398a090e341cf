/**
 * der - enough of DER (X.690) to write an X.509 certificate
 *
 * Only writes: tests need certificates that nobody would issue, dated as no clock is set.
 */

const TAG = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  oid: 0x06,
  utf8String: 0x0c,
  generalizedTime: 0x18,
  utcTime: 0x17,
  sequence: 0x30,
  set: 0x31,
} as const

export function element(tag: number, content: Buffer): Buffer {
  const { length } = content
  if (length < 0x80) return Buffer.concat([Buffer.from([tag, length]), content])
  const octets = length < 0x100 ? [length] : [length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from([tag, 0x80 | octets.length, ...octets]), content])
}

export const sequence = (...parts: readonly Buffer[]): Buffer =>
  element(TAG.sequence, Buffer.concat(parts))

export const set = (...parts: readonly Buffer[]): Buffer => element(TAG.set, Buffer.concat(parts))

export const boolean = (value: boolean): Buffer =>
  element(TAG.boolean, Buffer.from([value ? 0xff : 0]))

/** Small and not negative. */
export function integer(value: number): Buffer {
  const octets = Buffer.alloc(5)
  octets.writeUInt32BE(value, 1)
  let start = 0
  // no octet more than the sign needs
  while (start < 4 && octets[start] === 0 && (octets[start + 1] ?? 0) < 0x80) start++
  return element(TAG.integer, octets.subarray(start))
}

export const octetString = (content: Buffer): Buffer => element(TAG.octetString, content)

export const utf8String = (text: string): Buffer => element(TAG.utf8String, Buffer.from(text))

/** Whole octets, as everything here has them. */
export const bitString = (content: Buffer, unusedBits = 0): Buffer =>
  element(TAG.bitString, Buffer.concat([Buffer.from([unusedBits]), content]))

/** '2.5.29.17' */
export function oid(dotted: string): Buffer {
  const [first = 0, second = 0, ...rest] = dotted.split('.').map(Number)
  const octets = [first * 40 + second]
  for (const arc of rest) {
    const groups = [arc & 0x7f]
    for (let left = arc >>> 7; left > 0; left >>>= 7) groups.unshift((left & 0x7f) | 0x80)
    octets.push(...groups)
  }
  return element(TAG.oid, Buffer.from(octets))
}

/** RFC 5280 4.1.2.5: UTCTime through 2049, GeneralizedTime from then on. */
export function time(date: Date): Buffer {
  const digits = date.toISOString().replace(/\.\d+Z$|[-:T]/g, '')
  return date.getUTCFullYear() < 2050
    ? element(TAG.utcTime, Buffer.from(`${digits.slice(2)}Z`))
    : element(TAG.generalizedTime, Buffer.from(`${digits}Z`))
}
