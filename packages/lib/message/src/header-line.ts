/**
 * header-line - one header of a message: its name, its value, its physical lines
 *
 * A logical header is kept as one string in which `\n` separates physical lines; continuation lines keep the blank or tab
 * that they begin with. There is no line break at the end.
 *
 * Sources: RFC 5322 2.2; Postfix 3.7 header syntax (blanks before the colon are allowed and removed).
 */
const start = /^([!-9;-~]+)[ \t]*:/

export interface HeaderLine {
  /** As written: letter case is kept. */
  readonly name: string
  /** Everything behind the colon, blanks included. */
  readonly value: string
}

/** Does a header begin here: a name of printable ASCII, and a colon. Blanks may stand between the two. */
export function isHeaderStart(line: string): boolean {
  return start.test(line)
}

/** Does the physical line continue the header before it. */
export function isContinuation(line: string): boolean {
  const first = line.charCodeAt(0)
  return first === 0x20 || first === 0x09
}

/** undefined when the text does not begin with a header name. */
export function splitHeaderLine(text: string): HeaderLine | undefined {
  const found = start.exec(text)
  if (found === null) return undefined
  return { name: found[1] ?? '', value: text.slice(found[0].length) }
}

/** `Name  : value` becomes `Name: value`; any other header is returned as it is. */
export function normalizeHeaderName(text: string): string {
  const found = start.exec(text)
  if (found === null) return text
  const name = found[1] ?? ''
  return found[0].length === name.length + 1 ? text : `${name}:${text.slice(found[0].length)}`
}

/** The value on one line: line breaks are dropped, the blanks that begin continuation lines stay. */
export function unfoldValue(value: string): string {
  return value.includes('\n') ? value.replaceAll('\n', '') : value
}

/**
 * Writes `Name: piece piece ...` with a line break and a tab where the line, without that tab, would reach 70 characters.
 *
 * @param pieces the parts between which a line may be broken, each with its own comma
 */
export function foldHeader(name: string, pieces: readonly string[]): string {
  let text = `${name}: ${pieces[0] ?? ''}`
  let lineLength = text.length
  for (const piece of pieces.slice(1)) {
    if (lineLength + 1 + piece.length < 70) {
      text += ` ${piece}`
      lineLength += 1 + piece.length
    } else {
      text += `\n\t${piece}`
      lineLength = piece.length
    }
  }
  return text
}
