/**
 * attr-list - attribute lists between daemons, in the NUL encoding ("attr0")
 *
 *     list   = *( simple / table ) NUL
 *     simple = name NUL value NUL
 *     table  = "{" NUL *simple "}" NUL
 *
 * Attributes are positional, and some lists carry a name twice: a list is an array, never a map. The
 * braces of a table appear in it as the attributes "{" and "}" with an empty value. Octets are latin1.
 *
 * Limits: a list that we receive has at most 1 MB and 10 000 attributes, unless the caller says otherwise.
 * Source: Postfix 3.7 internal protocols; the examples are in attr-list.test.ts.
 */
import { AttrError } from './wire-error.ts'

export type Attr = readonly [name: string, value: string]
export type AttrList = readonly Attr[]

export interface ListLimits {
  readonly octets: number
  readonly attributes: number
}

export const defaultListLimits: ListLimits = { octets: 1_048_576, attributes: 10_000 }

/** Takes a list in pieces: what arrived is offered again and again, from where the last push() ended. */
export interface ListDecoder {
  readonly attrs: Attr[]
  /** The terminator was seen; offer nothing more. */
  readonly isComplete: boolean
  /**
   * Takes every complete attribute of `octets` from `from` on.
   *
   * @returns the position after the last octet taken: what follows must be offered again with more
   * @throws {AttrError} beyond a limit
   */
  readonly push: (octets: string, from?: number) => number
}

/** How lists look on the wire of one service. */
export interface ListEncoding {
  encode: (attrs: AttrList) => string
  decoder: (limits?: ListLimits) => ListDecoder
}

const openBrace = 0x7b
const closeBrace = 0x7d

/** @throws {AttrError} for text that would end the attribute early */
export function refuseDelimiter(text: string, delimiter: string, name: string): void {
  if (text.includes(delimiter)) {
    throw new AttrError(`Cannot encode ${name}: its value contains the delimiter of the encoding`)
  }
}

/** The octets of a list, terminator included. @throws {AttrError} for a value that contains NUL */
export function encodeAttrList(attrs: AttrList): string {
  let octets = ''
  for (const [name, value] of attrs) {
    if (name === '{' || name === '}') {
      octets += `${name}\0`
    } else {
      refuseDelimiter(value, '\0', name)
      octets += `${name}\0${value}\0`
    }
  }
  return `${octets}\0`
}

export class AttrListDecoder implements ListDecoder {
  readonly attrs: Attr[] = []
  isComplete = false
  #taken = 0
  readonly #limits: ListLimits

  constructor(limits = defaultListLimits) {
    this.#limits = limits
  }

  push(octets: string, from = 0): number {
    let at = from
    for (;;) {
      const nameEnd = octets.indexOf('\0', at)
      if (nameEnd === at) {
        this.isComplete = true
        at += 1
        break
      }
      if (nameEnd === -1) break
      const first = octets.charCodeAt(at)
      if (nameEnd === at + 1 && (first === openBrace || first === closeBrace)) {
        this.attrs.push([octets.slice(at, nameEnd), ''])
        at = nameEnd + 1
      } else {
        const valueEnd = octets.indexOf('\0', nameEnd + 1)
        if (valueEnd === -1) break
        this.attrs.push([octets.slice(at, nameEnd), octets.slice(nameEnd + 1, valueEnd)])
        at = valueEnd + 1
      }
      if (this.attrs.length > this.#limits.attributes) throw tooManyAttributes(this.#limits)
    }
    this.#taken += at - from
    const pending = this.isComplete ? 0 : octets.length - at
    if (this.#taken + pending > this.#limits.octets) throw tooManyOctets(this.#limits)
    return at
  }
}

export function tooManyAttributes(limits: ListLimits): AttrError {
  return new AttrError(
    `Cannot decode attribute list: more than ${limits.attributes} attributes, want fewer`,
  )
}

export function tooManyOctets(limits: ListLimits): AttrError {
  return new AttrError(
    `Cannot decode attribute list: more than ${limits.octets} octets, want fewer`,
  )
}

/**
 * Decodes the list that starts at `from`.
 *
 * @returns the attributes and the position after the terminator; undefined while the list is incomplete
 * @throws {AttrError} beyond a limit
 */
export function decodeAttrList(
  octets: string,
  from = 0,
): { attrs: AttrList; end: number } | undefined {
  const decoder = new AttrListDecoder()
  const end = decoder.push(octets, from)
  return decoder.isComplete ? { attrs: decoder.attrs, end } : undefined
}

/** The encoding of all services but anvil(8) and policy servers. */
export const attr0: ListEncoding = {
  encode: encodeAttrList,
  decoder: (limits) => new AttrListDecoder(limits),
}
