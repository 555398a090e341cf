/**
 * convert-value - text of a value to boolean, number, seconds, keyword
 *
 * Every fault is a ConfigError in Postfix's words. Source: Postfix 3.7 postconf(5).
 */
import { ConfigError } from './config-error.ts'
import type { IntegerSpec, KeywordSpec, ParameterSpec } from './parameter-spec.ts'

const INT_MAX = 2 ** 31 - 1
const SECONDS_PER = new Map([
  ['s', 1],
  ['m', 60],
  ['h', 3600],
  ['d', 86_400],
  ['w', 604_800],
])

interface Bounds {
  readonly min?: number
  readonly max?: number
}

/** `yes` or `no` in any letter case. */
export function toBoolean(name: string, value: string): boolean {
  const word = value.toLowerCase()
  if (word === 'yes') return true
  if (word === 'no') return false
  throw new ConfigError(`bad boolean configuration: ${name} = ${value}`)
}

/** Decimal, optional sign, whole text; 32 bits unless isLong. 64-bit values beyond 2^53 lose their last digits. */
export function toInteger(
  name: string,
  value: string,
  spec: Pick<IntegerSpec, 'min' | 'max' | 'isLong'>,
): number {
  const number = /^[+-]?\d+$/.test(value) ? Number(value) : NaN
  const limit = spec.isLong ? 2 ** 63 : INT_MAX
  if (!(number >= -limit - 1 && number <= limit)) {
    throw new ConfigError(`bad numerical configuration: ${name} = ${value}`)
  }
  if (spec.min !== undefined && number < spec.min) {
    throw new ConfigError(`invalid ${name} parameter value ${number} < ${spec.min}`)
  }
  if (spec.max !== undefined && number > spec.max) {
    throw new ConfigError(`invalid ${name} parameter value ${number} > ${spec.max}`)
  }
  return number
}

/**
 * Digits and one letter of s m h d w, or digits alone in the parameter's own unit. Only the first octet after
 * the digits counts: `5m30s` is five minutes, and a letter alone is none at all, as in Postfix.
 */
export function toSeconds(name: string, value: string, unit: string, bounds: Bounds): number {
  const digits = /^[+-]?\d+/.exec(value)?.[0] ?? ''
  const perUnit = SECONDS_PER.get(value.charAt(digits.length) || unit)
  const seconds = value !== '' && perUnit !== undefined ? Number(digits) * perUnit : NaN
  if (!(seconds >= 0 && seconds <= INT_MAX)) {
    throw new ConfigError(`parameter ${name}: bad time value or unit: ${value}`)
  }
  if (bounds.min !== undefined && seconds < bounds.min) {
    throw new ConfigError(`invalid ${name}: ${seconds} (min ${bounds.min})`)
  }
  if (bounds.max !== undefined && seconds > bounds.max) {
    throw new ConfigError(`invalid ${name}: ${seconds} (max ${bounds.max})`)
  }
  return seconds
}

/** The value itself, when its length in octets is within the bounds. */
export function checkLength(
  name: string,
  value: string,
  spec: ParameterSpec,
  isRaw = false,
): string {
  const { length } = value
  const relation =
    spec.min !== undefined && length < spec.min
      ? `${length} < ${spec.min}`
      : spec.max !== undefined && length > spec.max
        ? `${length} > ${spec.max}`
        : undefined
  if (relation === undefined) return value
  const shown = isRaw ? `(length ${relation})` : `length ${relation}`
  throw new ConfigError(`bad string ${shown}: ${name} = ${value}`)
}

/** The keyword in the registry's spelling; '' where the registry allows an empty value. */
export function toKeyword(name: string, value: string, spec: KeywordSpec): string {
  if (checkLength(name, value, spec) === '') return ''
  const found = spec.isExactCase
    ? spec.values.find((word) => word === value)
    : spec.values.find((word) => word.toLowerCase() === value.toLowerCase())
  if (found !== undefined) return found
  const complaint = spec.complaint ?? 'unknown %n value: %v'
  throw new ConfigError(complaint.replace('%n', () => name).replace('%v', () => value))
}
