/**
 * address-list - the addresses of a header, and everything that stands between them
 *
 * parseAddressList() gives a flat list of nodes: addresses, the words of display names and group names, comments, and the
 * marks `< > : ; ,`. A caller replaces the text of address nodes; formatAddressList() writes the list again. What is not an
 * address comes back as it was, except for blanks. Nothing is refused: text that the grammar does not allow is read the
 * way Postfix reads it, because a header that one of the two rewrites the other may have to bounce.
 *
 *     To: Team: "Doe, J" <j@doe.example> (boss), ann@b.example;
 *     word  :  word  < address  >  comment  ,  address  ;
 *
 * Departures from RFC 5322, all as Postfix: words without `<` are an address each (`To: ann bob`); comments beside a bare
 * address move behind it; a `<` without `>` or a `:` without `;` is part of an address, and so is a stray `)` or `]`.
 *
 * Limits: header_address_token_limit tokens; what follows is not looked at. Linear in the length of the text.
 */
import { quoteLocalPart } from './quote-address.ts'
import { DEFAULT_TOKEN_LIMIT, tokenizeAddresses, type AddressToken } from './address-token.ts'

export type AddressNode =
  /** An addr-spec in external form; `<>` holds one with empty text. */
  | { readonly kind: 'address'; readonly text: string }
  | { readonly kind: 'word'; readonly text: string }
  | { readonly kind: 'comment'; readonly text: string }
  | { readonly kind: 'mark'; readonly text: '<' | '>' | ':' | ';' | ',' }

export function parseAddressList(value: string, tokenLimit = DEFAULT_TOKEN_LIMIT): AddressNode[] {
  return new ListParser(tokenizeAddresses(value, tokenLimit)).parse()
}

/** The addresses of a header value in external form, without `<>`. */
export function listAddresses(value: string, tokenLimit = DEFAULT_TOKEN_LIMIT): string[] {
  return parseAddressList(value, tokenLimit)
    .filter((node) => node.kind === 'address' && node.text !== '')
    .map((node) => node.text)
}

class ListParser {
  readonly #tokens: readonly AddressToken[]
  readonly #nodes: AddressNode[] = []
  readonly #lastCloser: number
  readonly #lastGroupEnd: number

  constructor(tokens: readonly AddressToken[]) {
    this.#tokens = tokens
    this.#lastCloser = tokens.findLastIndex((token) => isSpecial(token, '>'))
    this.#lastGroupEnd = tokens.findLastIndex((token) => isSpecial(token, ';'))
  }

  parse(): AddressNode[] {
    const tokens = this.#tokens
    let from = 0 // where the words not yet understood begin
    let at = 0
    while (at < tokens.length) {
      const token = tokens[at]
      if (token?.kind === 'special') {
        const mark = token.text
        if (mark === ',' || mark === ';' || mark === '>') {
          this.#addresses(from, at)
          this.#nodes.push({ kind: 'mark', text: mark })
          from = at + 1
        } else if (mark === ':') {
          // Without a `;` behind it, it is part of an address.
          if (at < this.#lastGroupEnd && this.#isLastOfPhrase(at)) {
            this.#phrase(from, at)
            this.#nodes.push({ kind: 'mark', text: mark })
            from = at + 1
          }
        } else if (mark === '<') {
          const close = this.#closer(at)
          if (close >= 0) {
            this.#phrase(from, at)
            this.#bracketed(at + 1, close)
            at = close
            from = at + 1
          }
        }
      }
      at++
    }
    this.#addresses(from, tokens.length)
    return this.#nodes
  }

  #closer(open: number): number {
    return open > this.#lastCloser ? -1 : this.#find('>', open)
  }

  /** Index of the next such special token; the number of tokens when there is none. */
  #find(special: string, after: number): number {
    for (let at = after + 1; at < this.#tokens.length; at++) {
      const token = this.#tokens[at]
      if (token !== undefined && isSpecial(token, special)) return at
    }
    return this.#tokens.length
  }

  /** No other `:` before the list of the group, or the group, ends. */
  #isLastOfPhrase(at: number): boolean {
    const next = this.#find(':', at)
    return next > this.#find(';', at) || next > this.#find(',', at)
  }

  #phrase(from: number, to: number): void {
    let word = ''
    const flush = (): void => {
      if (word !== '') this.#nodes.push({ kind: 'word', text: word })
      word = ''
    }
    for (let at = from; at < to; at++) {
      const token = this.#tokens[at]
      if (token === undefined) break
      if (token.kind === 'comment') {
        flush()
        this.#nodes.push({ kind: 'comment', text: token.text })
      } else {
        if (!this.#isGlued(at, from)) flush()
        word += externalText(token)
      }
    }
    flush()
  }

  /** Words without `<`: an address for each run of words that `.` and `@` hold together, comments behind the last. */
  #addresses(from: number, to: number): void {
    let text = ''
    const comments: AddressNode[] = []
    const flush = (): void => {
      if (text !== '') this.#nodes.push({ kind: 'address', text: text.trimStart() })
      text = ''
    }
    for (let at = from; at < to; at++) {
      const token = this.#tokens[at]
      if (token === undefined) break
      if (token.kind === 'comment') comments.push({ kind: 'comment', text: token.text })
      else {
        if (!this.#isGlued(at, from)) flush()
        text += externalText(token)
      }
    }
    flush()
    this.#nodes.push(...comments)
  }

  #bracketed(from: number, to: number): void {
    let text = ''
    const comments: AddressNode[] = []
    for (let at = from; at < to; at++) {
      const token = this.#tokens[at]
      if (token?.kind === 'comment') comments.push({ kind: 'comment', text: token.text })
      else if (token !== undefined) text += externalText(token)
    }
    this.#nodes.push({ kind: 'mark', text: '<' })
    this.#nodes.push({ kind: 'address', text }, ...comments)
    this.#nodes.push({ kind: 'mark', text: '>' })
  }

  /** Does the token continue the word before it: one of the two is `.` or `@` (or a mark that means nothing here). */
  #isGlued(at: number, from: number): boolean {
    let before = at - 1
    while (before >= from && this.#tokens[before]?.kind === 'comment') before--
    const previous = before >= from ? this.#tokens[before] : undefined
    const token = this.#tokens[at]
    if (previous === undefined || token === undefined) return false
    if (isGlue(previous) || isGlue(token)) return true
    // Routing of old: `user % host`, `host ! user`.
    return (
      (previous.kind === 'atom' && /[%!]$/.test(previous.text)) ||
      (token.kind === 'atom' && /^[%!]/.test(token.text))
    )
  }
}

function isSpecial(token: AddressToken, text: string): boolean {
  return token.kind === 'special' && token.text === text
}

function isGlue(token: AddressToken): boolean {
  return token.kind === 'special' && '.@:<)]'.includes(token.text)
}

function externalText(token: AddressToken): string {
  switch (token.kind) {
    case 'quoted':
      return `"${token.text.replace(/["\\]/g, '\\$&')}"`
    case 'atom':
      // An atom that a backslash has made special, such as `a\ b`, needs quotes now.
      return /[ ()<>@,;:\\".[\]]/.test(token.text) ? quoteLocalPart(token.text) : token.text
    default:
      if (token.text === '<') return ' <' // one that nothing closes
      return token.text === ',' ? ', ' : token.text // a comma inside `<>`
  }
}

/**
 * Writes a list as pieces that end with their comma: a header line may be broken between two of them, otherwise they are
 * joined with a blank.
 */
export function formatAddressList(nodes: readonly AddressNode[]): string[] {
  const pieces: string[] = []
  let line = ''
  let last: AddressNode | undefined
  const breakHere = (): void => {
    pieces.push(`${line},`)
    line = ''
    last = undefined
  }
  for (const node of nodes) {
    if (node.kind === 'mark' && node.text === ',') {
      breakHere()
      continue
    }
    if (node.kind === 'address' && !mayPrecedeAddress(last)) breakHere()
    if (needsBlank(last, node)) line += ' '
    line += node.text
    last = node
  }
  // After a comma at the end Postfix leaves a blank: the piece is there, and empty.
  if (line !== '' || pieces.length > 0) pieces.push(line)
  return pieces
}

function mayPrecedeAddress(last: AddressNode | undefined): boolean {
  return last === undefined || (last.kind === 'mark' && (last.text === '<' || last.text === ':'))
}

function needsBlank(last: AddressNode | undefined, next: AddressNode): boolean {
  if (last === undefined) return false
  if (last.kind === 'mark' && last.text === ':') return true
  if (next.kind === 'comment')
    return !(last.kind === 'mark' && (last.text === '>' || last.text === '<'))
  if (next.kind === 'mark') return next.text === '<'
  return next.kind === 'word' && (last.kind === 'word' || last.kind === 'comment')
}
