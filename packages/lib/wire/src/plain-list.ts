/**
 * plain-list - attribute lists as lines of `name=value`, ended by an empty line
 *
 * Used by anvil(8), by SMTP access policy servers, and for the properties that smtp(8) stores in scache(8).
 * The name ends at the first "=", the value at LF. A line without "=" is skipped; where its name was wanted, the
 * list is then found to lack it.
 *
 * Limits: those of attr-list.ts.
 */
import {
  defaultListLimits,
  refuseDelimiter,
  tooManyAttributes,
  tooManyOctets,
  type Attr,
  type AttrList,
  type ListDecoder,
  type ListEncoding,
  type ListLimits,
} from './attr-list.ts'

/** The octets of a list, empty line included. @throws {AttrError} for a value that contains LF */
export function encodePlainList(attrs: AttrList): string {
  let octets = ''
  for (const [name, value] of attrs) {
    refuseDelimiter(value, '\n', name)
    octets += `${name}=${value}\n`
  }
  return `${octets}\n`
}

export class PlainListDecoder implements ListDecoder {
  readonly attrs: Attr[] = []
  isComplete = false
  #taken = 0
  #lines = 0
  readonly #limits: ListLimits

  constructor(limits = defaultListLimits) {
    this.#limits = limits
  }

  push(octets: string, from = 0): number {
    let at = from
    for (;;) {
      const lineEnd = octets.indexOf('\n', at)
      if (lineEnd === at) {
        this.isComplete = true
        at += 1
        break
      }
      if (lineEnd === -1) break
      const line = octets.slice(at, lineEnd)
      const equals = line.indexOf('=')
      if (equals !== -1) this.attrs.push([line.slice(0, equals), line.slice(equals + 1)])
      at = lineEnd + 1
      this.#lines += 1
      if (this.#lines > this.#limits.attributes) throw tooManyAttributes(this.#limits)
    }
    this.#taken += at - from
    const pending = this.isComplete ? 0 : octets.length - at
    if (this.#taken + pending > this.#limits.octets) throw tooManyOctets(this.#limits)
    return at
  }
}

/**
 * Decodes the list that starts at `from`.
 *
 * @returns the attributes and the position after the empty line; undefined while the list is incomplete
 * @throws {AttrError} beyond a limit
 */
export function decodePlainList(
  octets: string,
  from = 0,
): { attrs: AttrList; end: number } | undefined {
  const decoder = new PlainListDecoder()
  const end = decoder.push(octets, from)
  return decoder.isComplete ? { attrs: decoder.attrs, end } : undefined
}

export const plain: ListEncoding = {
  encode: encodePlainList,
  decoder: (limits) => new PlainListDecoder(limits),
}
