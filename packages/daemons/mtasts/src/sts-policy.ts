/**
 * sts-policy - what a policy file says
 *
 *     version: STSv1
 *     mode: enforce
 *     mx: mx1.example.com
 *     mx: *.example.net
 *     max_age: 604800
 *
 * Fields come in any order; of all but mx only the first counts, also where a later one is malformed; unknown ones are passed over. A
 * max_age above a year is a year.
 * Limits: 100 patterns, 8192 octets of them; beyond that the policy is invalid.
 * Source: RFC 8461 3.2.
 */
import { isValidHostname } from '@posthorn/address/hostname'
import { PolicyError } from './mtasts-error.ts'

export const STS_MODES = ['enforce', 'testing', 'none'] as const
export type StsMode = (typeof STS_MODES)[number]

export interface StsPolicy {
  readonly mode: StsMode
  /** In lower case: `mx.example.com`, `*.example.net`. */
  readonly mxPatterns: readonly string[]
  readonly maxAgeSeconds: number
}

/** RFC 8461 3.2: the most that max_age may say. */
export const MAX_AGE_LIMIT_SECONDS = 31_557_600

const PATTERN_LIMIT = 100
const PATTERN_OCTETS_LIMIT = 8192

/** sts-policy-ext-name, sts-policy-field-delim; the value ends where trailing blanks begin. */
const FIELD = /^([A-Za-z0-9][A-Za-z0-9_.-]{0,31}):[ \t]*(.*)$/

/** `text`: octets. @throws {PolicyError} sts-policy-invalid */
export function parsePolicy(text: string): StsPolicy {
  const fields = readFields(text)
  const only = (name: string): string => {
    const value = fields.get(name)?.[0]
    if (value === undefined) throw invalid(`no ${name}`)
    return value
  }
  if (only('version') !== 'STSv1') throw invalid('unknown version')
  const word = only('mode')
  const mode = STS_MODES.find((known) => known === word)
  if (mode === undefined) throw invalid('unknown mode')
  const maxAge = only('max_age')
  if (!/^[0-9]{1,10}$/.test(maxAge)) throw invalid('bad max_age')
  return {
    mode,
    mxPatterns: readPatterns(fields.get('mx') ?? [], mode),
    maxAgeSeconds: Math.min(Number(maxAge), MAX_AGE_LIMIT_SECONDS),
  }
}

/** The policy in the words of its file, line by line, for reports. */
export function policyLines({ mode, mxPatterns, maxAgeSeconds }: StsPolicy): readonly string[] {
  const patterns = mxPatterns.map((pattern) => `mx: ${pattern}`)
  return ['version: STSv1', `mode: ${mode}`, ...patterns, `max_age: ${maxAgeSeconds}`]
}

/** `mx.example.com`, or one label and a name below: `*.example.net`. RFC 8461 3.2, 4.1. */
export function isMxPattern(pattern: string): boolean {
  return isValidHostname(pattern.startsWith('*.') ? pattern.slice(2) : pattern)
}

function readFields(text: string): ReadonlyMap<string, readonly string[]> {
  const fields = new Map<string, string[]>()
  for (const line of text.split(/\r?\n/)) {
    const field = line.replace(/[ \t]+$/, '')
    // lines without anything are not in the grammar, harmless, and common at the end
    if (field === '') continue
    const [, name = '', value = ''] = FIELD.exec(field) ?? []
    if (name === '') throw invalid('a line that is no field')
    const values = fields.get(name)
    if (values === undefined) fields.set(name, [value])
    else values.push(value)
  }
  return fields
}

function readPatterns(values: readonly string[], mode: StsMode): readonly string[] {
  const patterns = [...new Set(values.map((value) => value.toLowerCase()))]
  if (!patterns.every(isMxPattern)) throw invalid('bad mx')
  if (patterns.length === 0 && mode !== 'none') throw invalid('no mx')
  const octets = patterns.reduce((sum, pattern) => sum + pattern.length, 0)
  if (patterns.length > PATTERN_LIMIT || octets > PATTERN_OCTETS_LIMIT) throw invalid('too many mx')
  return patterns
}

function invalid(what: string): PolicyError {
  return new PolicyError('sts-policy-invalid', `the policy is invalid: ${what}`)
}
