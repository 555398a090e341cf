/**
 * base64-list - attribute lists as lines of base64(name) ":" base64(value), ended by an empty line
 *
 * No program of Postfix 3.7 speaks this encoding; its library has it, and so has ours.
 *
 * Limits: those of attr-list.ts.
 */
import {
  defaultListLimits,
  tooManyAttributes,
  tooManyOctets,
  type Attr,
  type AttrList,
} from './attr-list.ts'
import { decodeBase64, encodeBase64 } from './base64.ts'
import { AttrError } from './wire-error.ts'

export function encodeBase64List(attrs: AttrList): string {
  let octets = ''
  for (const [name, value] of attrs) {
    octets +=
      name === '{' || name === '}'
        ? `${encodeBase64(name)}\n`
        : `${encodeBase64(name)}:${encodeBase64(value)}\n`
  }
  return `${octets}\n`
}

/**
 * Decodes the list that starts at `from`.
 *
 * @returns the attributes and the position after the empty line; undefined while the list is incomplete
 * @throws {AttrError} beyond a limit, or for a line that is not of the form above
 */
export function decodeBase64List(
  octets: string,
  from = 0,
): { attrs: AttrList; end: number } | undefined {
  const attrs: Attr[] = []
  let at = from
  for (;;) {
    const lineEnd = octets.indexOf('\n', at)
    if ((lineEnd === -1 ? octets.length : lineEnd) - from > defaultListLimits.octets) {
      throw tooManyOctets(defaultListLimits)
    }
    if (lineEnd === -1) return undefined
    if (lineEnd === at) return { attrs, end: at + 1 }
    attrs.push(decodeLine(octets.slice(at, lineEnd)))
    if (attrs.length > defaultListLimits.attributes) throw tooManyAttributes(defaultListLimits)
    at = lineEnd + 1
  }
}

function decodeLine(line: string): Attr {
  const colon = line.indexOf(':')
  const name = decodeBase64(colon === -1 ? line : line.slice(0, colon), 'attribute name')
  if (colon !== -1) return [name, decodeBase64(line.slice(colon + 1), name)]
  if (name === '{' || name === '}') return [name, '']
  throw new AttrError(`Cannot decode attribute "${name}": no value, want name:value`)
}
