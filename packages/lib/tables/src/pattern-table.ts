/**
 * pattern-table - regexp and pcre: rules of regular expressions
 *
 *     /pattern/flags result     !/pattern/flags result     if /pattern/flags … endif     if !/pattern/flags … endif
 *
 * `$1`, `${1}` and `$(1)` in a result are what the groups matched, `$$` is a dollar. A rule that makes no sense is
 * warned about and left out. Expressions run as JavaScript's, which backtrack: a bad one can take long on a bad key.
 * Source: Postfix 3.7 regexp_table(5).
 */
import { trimSpace } from '@posthorn/config/logical-lines'
import { log } from '@posthorn/log/log'
import { valueOf } from './file-value.ts'
import { ABSENT, found, type LookupResult, type LookupTable } from './lookup-table.ts'
import type { TableContext, TableSource } from './open-table.ts'
import { TableOpenError } from './table-error.ts'
import { parseResult, resultOf, type ResultOf } from './pattern-result.ts'
import { RuleNest } from './rule-nest.ts'
import { readRules } from './table-source.ts'

export interface CompiledPattern {
  readonly expression: RegExp
  /** Where the groups of the pattern are in what the expression finds; the first is at 0. */
  readonly groups: readonly number[]
}

/** Makes a JavaScript expression. @throws {SyntaxError} the text says what is wrong; an option has UnknownOptionError */
export type PatternCompiler = (pattern: string, options: string) => CompiledPattern

export class UnknownOptionError extends SyntaxError {}

/** A rule cannot be used; the message says why. */
class RuleError extends Error {}

interface Pattern extends CompiledPattern {
  readonly isNegated: boolean
  /** What follows pattern and flags. */
  readonly rest: string
}

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
    const read = readPattern(text, type, compile)
    const pattern = { ...read, rest: ruleValue(read.rest, context) }
    const { isNegated, expression, rest: value } = pattern
    if (value === '') warn('no replacement text: using empty string')
    const result = readResult(pattern, type, warn)
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

function ruleValue(text: string, context: TableContext): string {
  try {
    return valueOf(text, context)
  } catch (error) {
    if (!(error instanceof TableOpenError)) throw error
    throw new RuleError(`${error.message}: skipping this rule`)
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
    const fate = type === 'pcre' ? 'ignoring' : 'skipping'
    throw new RuleError(`no closing regexp delimiter "${delimiter}": ${fate} this rule`)
  }
  const options = /^\S*/.exec(text.slice(end + 1))?.[0] ?? ''
  try {
    const compiled = compile(text.slice(start + 1, end), options)
    return { ...compiled, isNegated, rest: trimSpace(text.slice(end + 1 + options.length)) }
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error
    if (error instanceof UnknownOptionError) {
      throw new RuleError(`unknown regexp option "${error.message}": skipping this rule`)
    }
    throw new RuleError(error.message)
  }
}

/** Plain text, or a function of the match when groups are used. */
function readResult(
  { groups, isNegated, rest }: Pattern,
  type: 'regexp' | 'pcre',
  warn: (why: string) => void,
): string | ResultOf {
  const text = parseResult(rest, type, warn)
  if (text === undefined) throw new RuleError('bad replacement syntax: skipping this rule')
  const { highest } = text
  if (highest > 0 && isNegated) {
    throw new RuleError('$number found in negative match replacement text: skipping this rule')
  }
  if (highest > groups.length) {
    throw new RuleError(`out of range replacement index "${highest}": skipping this rule`)
  }
  return resultOf(text, groups)
}
