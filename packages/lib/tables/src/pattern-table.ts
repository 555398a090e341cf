/**
 * pattern-table - regexp and pcre: rules of regular expressions
 *
 *     /pattern/flags result     !/pattern/flags result     if /pattern/flags … endif     if !/pattern/flags … endif
 *
 * `$1`, `${1}` and `$(1)` in a result are what the groups matched, `$$` is a dollar. A rule that makes no sense is
 * warned about and left out. Expressions run as JavaScript's, which backtrack: a bad one can take long on a bad key.
 * Source: Postfix 3.7 regexp_table(5).
 */
import { expandMacros, MacroError } from '@posthorn/config/expand-macros'
import { trimSpace } from '@posthorn/config/logical-lines'
import { log } from '@posthorn/log/log'
import { ABSENT, found, type LookupResult, type LookupTable } from './lookup-table.ts'
import type { TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'
import { RuleNest } from './rule-nest.ts'
import { readRules } from './table-source.ts'

/** Makes a JavaScript expression. @throws {SyntaxError} the text says what is wrong; an option has UnknownOptionError */
export type PatternCompiler = (pattern: string, options: string) => RegExp

export class UnknownOptionError extends SyntaxError {}

/** A rule cannot be used; the message says why. */
class RuleError extends Error {}

interface Pattern {
  readonly isNegated: boolean
  readonly expression: RegExp
  /** What follows pattern and flags. */
  readonly rest: string
}

type Result = (match: RegExpExecArray) => string

export function openPatternTable(
  { reference, name, context }: TableSource,
  type: 'regexp' | 'pcre',
  compile: PatternCompiler,
): LookupTable {
  const nest = new RuleNest<string, LookupResult>()
  for (const { text, first } of rulesOf(name, type)) {
    const place = `${type} map ${name}, line ${first}`
    const warn = (why: string): void => {
      log.warning(`${place}: ${why}`)
    }
    try {
      addRule(text, place, warn)
    } catch (error) {
      if (!(error instanceof RuleError)) throw error
      warn(error.message)
    }
  }
  for (const place of nest.unclosed()) log.warning(`${place}: IF has no matching ENDIF`)
  return { name: reference, isPattern: true, find: (key) => nest.search(key) ?? ABSENT }

  function addRule(text: string, place: string, warn: (why: string) => void): void {
    const [, keyword = '', rest = ''] = /^(if|endif)(?![a-z0-9])\s*(.*)$/is.exec(text) ?? []
    if (keyword.toLowerCase() === 'endif') {
      if (!nest.close()) throw new RuleError('ignoring ENDIF without matching IF')
      if (rest !== '') warn(`ignoring extra text after ENDIF`)
      return
    }
    if (keyword !== '') {
      const { isNegated, expression, rest: extra } = readPattern(rest, type, compile)
      if (extra !== '') warn(`ignoring extra text after IF statement: "${extra}"`)
      if (extra !== '') warn('do not prepend whitespace to statements between IF and ENDIF')
      nest.open((key) => expression.test(key) !== isNegated, place)
      return
    }
    if (!/^(?:!|[^A-Za-z0-9\s])/.test(text)) throw new RuleError('ignoring unrecognized request')
    const { isNegated, expression, rest: value } = readPattern(text, type, compile)
    if (value === '') warn('no replacement text: using empty string')
    const result = readResult(value, expression, isNegated)
    if (context.forbidsSubstitution && typeof result !== 'string') {
      throw new RuleError('regular expression substitution is not allowed: skipping this rule')
    }
    if (typeof result === 'string') {
      const answer = found(result)
      nest.add(
        (key) => expression.test(key) !== isNegated,
        () => answer,
      )
    } else {
      nest.rule((key) => {
        const match = expression.exec(key)
        return match === null ? undefined : found(result(match))
      })
    }
  }
}

function rulesOf(name: string, type: string): ReturnType<typeof readRules> {
  try {
    return readRules(name, type)
  } catch (error) {
    throw new TableOpenError(error instanceof Error ? error.message : String(error), {
      cause: error,
    })
  }
}

/** `!/pattern/flags rest`; the first character is the delimiter, a backslash protects it inside. */
function readPattern(text: string, type: string, compile: PatternCompiler): Pattern {
  const negations = /^[!\s]*/.exec(text)?.[0] ?? ''
  const isNegated = negations.replace(/\s/g, '').length % 2 === 1
  const start = negations.length
  const delimiter = text.charAt(start)
  if (delimiter === '') throw new RuleError(`no regexp: skipping this rule`)
  let end = start + 1
  while (end < text.length && text.charAt(end) !== delimiter)
    end += text.charAt(end) === '\\' ? 2 : 1
  if (end >= text.length) {
    throw new RuleError(`no closing regexp delimiter "${delimiter}": skipping this rule`)
  }
  const options = /^\S*/.exec(text.slice(end + 1))?.[0] ?? ''
  try {
    const expression = compile(text.slice(start + 1, end), options)
    return { isNegated, expression, rest: trimSpace(text.slice(end + 1 + options.length)) }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    if (error instanceof UnknownOptionError) {
      throw new RuleError(`unknown ${type} option "${error.message}": skipping this rule`)
    }
    throw new RuleError(error.message)
  }
}

/** Plain text, or a function of the match when groups are used. */
function readResult(value: string, expression: RegExp, isNegated: boolean): string | Result {
  if (!value.includes('$')) return value
  const groupCount =
    (new RegExp(`${expression.source}|`, expression.flags).exec('')?.length ?? 1) - 1
  const used = new Set<number>()
  const check = (name: string): string => {
    if (!/^\d+$/.test(name)) {
      throw new RuleError(`non-numeric replacement index "${name}": skipping this rule`)
    }
    const index = Number(name)
    if (isNegated) {
      throw new RuleError('$number found in negative match replacement text: skipping this rule')
    }
    if (index < 1 || index > groupCount) {
      throw new RuleError(`out of range replacement index "${index}": skipping this rule`)
    }
    used.add(index)
    return ''
  }
  const expand = (find: (name: string) => string): string => {
    return expandMacros(value, find, { isRecursive: false })
  }
  try {
    const plain = expand(check)
    if (used.size === 0) return plain
  } catch (error) {
    if (!(error instanceof MacroError)) throw error
    throw new RuleError('bad replacement syntax: skipping this rule')
  }
  return (match) => expand((name) => match[Number(name)] ?? '')
}
