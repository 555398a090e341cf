/**
 * pattern-result - the right-hand side of a rule: text in which $1, ${1} and $(1) are what the groups have found
 *
 * `$$` is a dollar. Anything else behind a dollar is a mistake. Source: Postfix 3.7 regexp_table(5).
 */
import { log } from '@posthorn/log/log'

type Part = string | number
/** The value for what an expression has found. */
export type ResultOf = (match: readonly (string | undefined)[]) => string

export interface ResultText {
  readonly parts: readonly Part[]
  /** The largest group that it names; 0 for none. */
  readonly highest: number
}

/** @returns why the text makes no sense, once that is logged: `complain` knows where the rule stands */
export function parseResult(
  text: string,
  type: 'regexp' | 'pcre',
  complain: (why: string) => void,
): ResultText | undefined {
  const parts: Part[] = []
  let highest = 0
  for (const [token, braced, parenthesised, word] of text.matchAll(TOKENS)) {
    if (!token.startsWith('$')) parts.push(token)
    else if (token === '$$') parts.push('$')
    else {
      const name = braced ?? parenthesised ?? word ?? ''
      if (/^\$[{(]/.test(token) && braced === undefined && parenthesised === undefined) {
        log.warning(`truncated macro reference: "${text}"`)
        return undefined
      }
      if (name === '') {
        log.warning(`empty macro name: "${text}"`)
        return undefined
      }
      if (!/^\d+$/.test(name)) {
        complain(`non-numeric replacement index "${name}"`)
        return undefined
      }
      if (Number(name) < 1) {
        complain(`${type === 'pcre' ? 'out of range' : 'out-of-range'} replacement index "${name}"`)
        return undefined
      }
      parts.push(Number(name))
      highest = Math.max(highest, Number(name))
    }
  }
  return { parts, highest }
}

/** Text, `$$`, `${…}`, `$(…)`, `$name`, or a dollar that stands for nothing. */
const TOKENS = /[^$]+|\$\$|\$\{([^{}]*)\}|\$\(([^()]*)\)|\$([A-Za-z0-9_]+)|\$[{(]?/g

/** @param groups where the numbered groups are in what is found */
export function resultOf(text: ResultText, groups: readonly number[]): string | ResultOf {
  if (text.highest === 0) return text.parts.join('')
  return (match) =>
    text.parts
      .map((part) => (typeof part === 'string' ? part : (match[groups[part - 1] ?? 0] ?? '')))
      .join('')
}
