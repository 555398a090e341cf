/**
 * expand-macros - the `$name` language of configuration values
 *
 *     $$                      one $
 *     $name ${name} $(name)   the value, itself expanded
 *     ${name?text}            text when name is not empty        ${name?{text}}
 *     ${name:text}            text when name is empty or unset   ${name:{text}}
 *     ${name?{text}:{text}}   either
 *     ${{a} == {b}}           `true` or nothing; with ? and : as above
 *     ${domain_to_ascii{text}}   a domain name as DNS knows it (RFC 5890 2.3.2.1)
 *
 * Operators are == != < <= >= >, numeric when both sides are digits, else octet by octet; with `level`
 * after them they compare compatibility levels. Only the chosen branch is expanded.
 * Source: Postfix 3.7 postconf(5); domain_to_ascii: Postfix 3.11, which has it in the default of smtp_requiretls_policy.
 */
import { domainToASCII } from 'node:url'
import { findBalanced } from './braces.ts'
import { parseCompatibilityLevel } from './compatibility-level.ts'
import { isSpaceCode, trimSpace } from './logical-lines.ts'

/** A text that does not follow the language; the message is the text of Postfix's warning. */
export class MacroError extends Error {
  override readonly name: string = 'MacroError'
  readonly code = 'POSTHORN_MACRO'
}

/** A number in a comparison that no integer holds; fatal by itself. */
export class MacroOverflowError extends MacroError {
  override readonly name = 'MacroOverflowError'
}

export interface ExpandOptions {
  /** Expand what is found again; default true. */
  readonly isRecursive?: boolean
  /** Expand every branch and compare nothing: to find every name that a text refers to. The result means nothing. */
  readonly visitsAll?: boolean
}

export type FindValue = (name: string) => string | undefined

const MAX_DEPTH = 100
const RELATION_HINT = '"==" or "!="" or "<"" or "<="" or ">="" or ">" expected at: '
const MAX_LONG = 2n ** 63n - 1n

/**
 * @param find is asked for each name; undefined counts as empty. Undefined names are no error.
 * @throws {MacroError}
 */
export function expandMacros(text: string, find: FindValue, options: ExpandOptions = {}): string {
  return text.includes('$') ? new Expansion(find, options).text(text, 0) : text
}

class Expansion {
  readonly #find: FindValue
  readonly #isRecursive: boolean
  readonly #visitsAll: boolean

  constructor(find: FindValue, options: ExpandOptions) {
    this.#find = find
    this.#isRecursive = options.isRecursive ?? true
    this.#visitsAll = options.visitsAll ?? false
  }

  text(text: string, depth: number): string {
    let result = ''
    let at = 0
    for (;;) {
      const dollar = text.indexOf('$', at)
      if (dollar < 0) return result + text.slice(at)
      result += text.slice(at, dollar)
      const next = text[dollar + 1]
      if (next === '$') {
        result += '$'
        at = dollar + 2
        continue
      }
      let name: string
      if (next === '{' || next === '(') {
        const end = findBalanced(text, dollar + 1, next, next === '{' ? '}' : ')')
        if (end < 0) throw new MacroError(`truncated macro reference: "${text}"`)
        name = text.slice(dollar + 2, end)
        at = end + 1
      } else {
        at = endOfName(text, dollar + 1)
        name = text.slice(dollar + 1, at)
      }
      if (name === '') throw new MacroError(`empty macro name: "${text}"`)
      result += this.#expression(name, depth + 1)
    }
  }

  #expression(text: string, depth: number): string {
    if (depth > MAX_DEPTH) throw new MacroError(`unreasonable macro call nesting: "${text}"`)
    const start = skipSpace(text, 0)
    if (text[start] === '{') return this.#relation(text, start, depth)
    const nameEnd = endOfName(text, start)
    const name = text.slice(start, nameEnd)
    const tail = skipSpace(text, nameEnd)
    if (tail === text.length) {
      const value = this.#find(name)
      if (value === undefined) return ''
      return this.#isRecursive ? this.#nested(value, depth, name) : value
    }
    if (text[tail] === '{' && name === 'domain_to_ascii')
      return this.#asciiDomain(text, tail, depth)
    if (text[tail] !== '?' && text[tail] !== ':') throw syntaxError(text, start, nameEnd)
    // The stored value decides, before it is expanded.
    const isSet = (this.#find(name) ?? '') !== ''
    return this.#choose(text, tail, isSet, depth)
  }

  #nested(value: string, depth: number, name: string): string {
    if (!value.includes('$')) return value
    if (depth + 1 > MAX_DEPTH) throw new MacroError(`unreasonable macro call nesting: "${name}"`)
    return this.text(value, depth + 1)
  }

  #asciiDomain(text: string, open: number, depth: number): string {
    const argument = payload(text, open)
    const rest = skipSpace(text, argument.end)
    if (rest !== text.length) {
      throw expected('unexpected input at: ', text, open + 1, argument.end, rest)
    }
    const domain = trimSpace(this.text(argument.text, depth))
    if (!/[\x80-\uffff]/.test(domain)) return domain
    return domainToASCII(Buffer.from(domain, 'latin1').toString()) || domain
  }

  /** `{left} op {right}`, then nothing or a choice. */
  #relation(text: string, start: number, depth: number): string {
    const left = payload(text, start)
    const operatorAt = skipSpace(text, left.end)
    const operator = /^(?:==|!=|<=|>=|<|>)/.exec(text.slice(operatorAt))?.[0]
    if (operator === undefined) throw expected(RELATION_HINT, text, start + 1, left.end, operatorAt)
    let at = operatorAt + operator.length
    const suffix = /^[^\s{]*/.exec(text.slice(at))?.[0] ?? ''
    if (suffix !== '' && suffix !== 'level') {
      throw new MacroError(`bad operator suffix at: "...${operator}>>>${suffix}"`)
    }
    at += suffix.length
    const rightAt = skipSpace(text, at)
    if (text[rightAt] !== '{') {
      const before = `{${left.text}} ${operator}${suffix}`
      throw new MacroError(`"{expression}" expected at: "...${before}>>>${text.slice(at)}"`)
    }
    const right = payload(text, rightAt)
    const tail = skipSpace(text, right.end)
    if (tail < text.length && text[tail] !== '?' && text[tail] !== ':') {
      throw expected('"?" or ":" expected at: ', text, right.end - 1, right.end, tail)
    }
    const operands = [this.text(left.text, depth), this.text(right.text, depth)] as const
    const holds =
      !this.#visitsAll && compares(operator, orderOf(operands[0], operands[1], suffix === 'level'))
    return tail === text.length ? (holds ? 'true' : '') : this.#choose(text, tail, holds, depth)
  }

  /** What follows a condition: `?text`, `:text`, `?{text}`, `:{text}`, `?{text}:{text}`. */
  #choose(text: string, at: number, holds: boolean, depth: number): string {
    const isThen = text[at] === '?'
    const open = skipSpace(text, at + 1)
    if (text[open] !== '{') return this.#branch(text.slice(at + 1), holds === isThen, depth)
    const first = payload(text, open)
    const after = skipSpace(text, first.end)
    if (after === text.length) return this.#branch(first.text, holds === isThen, depth)
    if (!isThen) throw expected('unexpected input at: ', text, open + 1, first.end, after)
    if (text[after] !== ':') throw expected('":" expected at: ', text, open + 1, first.end, after)
    const chosen = this.#branch(first.text, holds, depth)
    const elseOpen = skipSpace(text, after + 1)
    if (text[elseOpen] !== '{') return chosen + this.#branch(text.slice(after + 1), !holds, depth)
    const second = payload(text, elseOpen)
    const rest = skipSpace(text, second.end)
    if (rest !== text.length)
      throw expected('unexpected input at: ', text, elseOpen + 1, second.end, rest)
    return chosen + this.#branch(second.text, !holds, depth)
  }

  #branch(text: string, isChosen: boolean, depth: number): string {
    if (!isChosen && !this.#visitsAll) return ''
    const value = this.text(text, depth)
    return isChosen ? value : ''
  }
}

function skipSpace(text: string, from: number): number {
  let at = from
  while (at < text.length && isSpaceCode(text.charCodeAt(at))) at++
  return at
}

/** Names are letters, digits and underscore. */
function endOfName(text: string, from: number): number {
  let at = from
  for (; at < text.length; at++) {
    const code = text.charCodeAt(at)
    const isWord =
      (code >= 97 && code <= 122) ||
      (code >= 65 && code <= 90) ||
      (code >= 48 && code <= 57) ||
      code === 95
    if (!isWord) break
  }
  return at
}

function payload(text: string, open: number): { text: string; end: number } {
  const close = findBalanced(text, open)
  if (close < 0)
    throw new MacroError(`unbalanced {} in attribute expression: "${text.slice(open)}"`)
  return { text: text.slice(open + 1, close), end: close + 1 }
}

function expected(what: string, text: string, from: number, to: number, rest: number): MacroError {
  return new MacroError(`${what}"...${text.slice(from, to)}>>>${text.slice(rest)}"`)
}

function syntaxError(text: string, from: number, to: number): MacroError {
  return expected('attribute name syntax error at: ', text, from, to, to)
}

/** Below, at or above zero as left is smaller, equal or larger. */
function orderOf(left: string, right: string, isLevel: boolean): number {
  if (isLevel) return levelOf(left) - levelOf(right)
  if (/^\d+$/.test(left) && /^\d+$/.test(right)) {
    const a = longOf(left)
    const b = longOf(right)
    return a < b ? -1 : a > b ? 1 : 0
  }
  return left < right ? -1 : left > right ? 1 : 0
}

function levelOf(text: string): number {
  const level = parseCompatibilityLevel(text)
  if (level === undefined)
    throw new MacroError(`malformed compatibility level syntax: "${trimSpace(text)}"`)
  return level
}

function longOf(digits: string): bigint {
  const value = BigInt(digits)
  if (value > MAX_LONG) throw new MacroOverflowError(`mac_exp_eval: bad conversion: ${digits}`)
  return value
}

function compares(operator: string, order: number): boolean {
  switch (operator) {
    case '==':
      return order === 0
    case '!=':
      return order !== 0
    case '<':
      return order < 0
    case '<=':
      return order <= 0
    case '>=':
      return order >= 0
    default:
      return order > 0
  }
}
