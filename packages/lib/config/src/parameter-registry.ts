/**
 * parameter-registry - every parameter of main.cf, by type
 *
 * The tables in registry/ are data; this file joins them. Names are checked by the compiler: an integer
 * parameter cannot be read as a boolean.
 */
import { BOOLEAN_PARAMETERS } from './registry/boolean-parameters.ts'
import { FLAG_PARAMETERS } from './registry/flag-parameters.ts'
import { INTEGER_PARAMETERS } from './registry/integer-parameters.ts'
import { KEYWORD_PARAMETERS } from './registry/keyword-parameters.ts'
import {
  OWN_BOOLEAN_PARAMETERS,
  OWN_INTEGER_PARAMETERS,
  OWN_KEYWORD_PARAMETERS,
  OWN_TEXT_PARAMETERS,
  OWN_TIME_PARAMETERS,
} from './registry/own-parameters.ts'
import { RAW_PARAMETERS } from './registry/raw-parameters.ts'
import { TEXT_PARAMETERS } from './registry/text-parameters.ts'
import { TIME_PARAMETERS } from './registry/time-parameters.ts'
import type { IntegerSpec, KeywordSpec, ParameterSpec, TimeSpec } from './parameter-spec.ts'

const ALL_KEYWORDS = { ...KEYWORD_PARAMETERS, ...OWN_KEYWORD_PARAMETERS }

export type BooleanParameter = keyof typeof BOOLEAN_PARAMETERS | keyof typeof OWN_BOOLEAN_PARAMETERS
export type IntegerParameter = keyof typeof INTEGER_PARAMETERS | keyof typeof OWN_INTEGER_PARAMETERS
export type TimeParameter = keyof typeof TIME_PARAMETERS | keyof typeof OWN_TIME_PARAMETERS
export type KeywordParameter = keyof typeof ALL_KEYWORDS
export type FlagParameter = keyof typeof FLAG_PARAMETERS
export type RawParameter = keyof typeof RAW_PARAMETERS
/** What can be read as text: strings, raw strings, keywords and flags. */
export type TextParameter =
  | keyof typeof TEXT_PARAMETERS
  | keyof typeof OWN_TEXT_PARAMETERS
  | KeywordParameter
  | FlagParameter
  | RawParameter

/** The words that a keyword parameter may have. */
export type KeywordOf<N extends KeywordParameter> = (typeof ALL_KEYWORDS)[N]['values'][number]
/** The words that may be in a flag parameter. */
export type FlagOf<N extends FlagParameter> = (typeof FLAG_PARAMETERS)[N]['values'][number]

export type RegisteredParameter =
  | { readonly type: 'boolean' | 'text' | 'raw'; readonly spec: ParameterSpec }
  | { readonly type: 'integer'; readonly spec: IntegerSpec }
  | { readonly type: 'time'; readonly spec: TimeSpec }
  | { readonly type: 'keyword' | 'flags'; readonly spec: KeywordSpec }

type Table<Spec> = Readonly<Record<string, Spec>>

const booleans: readonly Table<ParameterSpec>[] = [BOOLEAN_PARAMETERS, OWN_BOOLEAN_PARAMETERS]
const times: Table<TimeSpec> = { ...TIME_PARAMETERS, ...OWN_TIME_PARAMETERS }
const integers: readonly Table<IntegerSpec>[] = [INTEGER_PARAMETERS, OWN_INTEGER_PARAMETERS]
const texts: readonly Table<ParameterSpec>[] = [TEXT_PARAMETERS, OWN_TEXT_PARAMETERS]
const raws: Table<ParameterSpec> = RAW_PARAMETERS
const keywords: Table<KeywordSpec> = ALL_KEYWORDS
const flags: Table<KeywordSpec> = FLAG_PARAMETERS

function get<Spec>(table: Table<Spec>, name: string): Spec | undefined {
  return Object.hasOwn(table, name) ? table[name] : undefined
}

/** A built-in parameter; undefined for user-defined, per-transport and legacy names. Some lookups, no search. */
export function findParameter(name: string): RegisteredParameter | undefined {
  for (const table of texts) {
    const spec = get(table, name)
    if (spec) return { type: 'text', spec }
  }
  for (const table of integers) {
    const spec = get(table, name)
    if (spec) return { type: 'integer', spec }
  }
  for (const table of booleans) {
    const spec = get(table, name)
    if (spec) return { type: 'boolean', spec }
  }
  const time = get(times, name)
  if (time) return { type: 'time', spec: time }
  const keyword = get(keywords, name)
  if (keyword) return { type: 'keyword', spec: keyword }
  const flag = get(flags, name)
  if (flag) return { type: 'flags', spec: flag }
  const raw = get(raws, name)
  return raw && { type: 'raw', spec: raw }
}

/** The words of a keyword parameter, and what is said of others. */
export function keywordSpec(name: KeywordParameter): KeywordSpec {
  return ALL_KEYWORDS[name]
}

/** All built-in names, unsorted. */
export function parameterNames(): string[] {
  return [...texts, ...integers, times, ...booleans, keywords, flags, raws].flatMap((table) =>
    Object.keys(table),
  )
}
