/**
 * attr-number - integers as attribute values
 *
 * The wire has decimal text of the value taken as unsigned 32 bit (int) or 64 bit (long), so -1 is 4294967295 or
 * 18446744073709551615. Inside the program they are signed. A receiver takes what C scanf("%u") takes up to the
 * end of the string: leading blanks and a sign are tolerated, everything else is an error.
 */
import { AttrError } from './wire-error.ts'

export function formatInt(value: number): string {
  return String(value >>> 0)
}

/** @throws {AttrError} unless `text` is a decimal number of at most 64 bits */
export function parseInt32(text: string, name: string): number {
  const small = smallNumber(text)
  return small !== -1 ? small | 0 : Number(BigInt.asIntN(32, bigNumber(text, name)))
}

/** @throws {RangeError} for a number that is not a safe integer (our bug) */
export function formatLong(value: number): string {
  return value >= 0 ? String(value) : String(BigInt.asUintN(64, BigInt(value)))
}

/** @throws {AttrError} unless `text` is a decimal number of at most 64 bits that a number can hold */
export function parseLong(text: string, name: string): number {
  const small = smallNumber(text)
  if (small !== -1) return small
  const value = Number(BigInt.asIntN(64, bigNumber(text, name)))
  if (!Number.isSafeInteger(value)) {
    throw new AttrError(`Cannot parse ${name} "${text}": want a number below 2^53`)
  }
  return value
}

/** One to fifteen plain digits, as nearly all numbers are; -1 for anything else. */
function smallNumber(text: string): number {
  const length = text.length
  if (length === 0 || length > 15) return -1
  let value = 0
  for (let at = 0; at < length; at += 1) {
    const digit = text.charCodeAt(at) - 0x30
    if (digit < 0 || digit > 9) return -1
    value = value * 10 + digit
  }
  return value
}

function bigNumber(text: string, name: string): bigint {
  const match = /^[ \t\n\v\f\r]*([+-]?)([0-9]{1,20})$/.exec(text)
  const digits = match?.[2]
  if (match === null || digits === undefined) {
    throw new AttrError(`Cannot parse ${name} "${text.slice(0, 40)}": want a decimal number`)
  }
  const value = BigInt(digits)
  if (value >= 1n << 64n) {
    throw new AttrError(`Cannot parse ${name} "${digits}": want at most 64 bits`)
  }
  return match[1] === '-' ? -value : value
}
