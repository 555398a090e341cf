/**
 * logical-lines - the line rules that main.cf, master.cf and table sources share
 *
 * A line that starts with white space continues the one before it, across comments and empty lines.
 * The line feed between them goes, nothing comes in its place. Text is latin1 octets.
 * Source: Postfix 3.7 postconf(5).
 */

export interface LogicalLine {
  readonly text: string
  /** First and last physical line, counted from 1. */
  readonly first: number
  readonly last: number
}

/** ASCII white space as Postfix sees it: blank, TAB, LF, VT, FF, CR. */
export function isSpaceCode(code: number): boolean {
  return code === 32 || (code >= 9 && code <= 13)
}

/** Without leading and trailing ASCII white space; other octets that JavaScript calls space stay. */
export function trimSpace(text: string): string {
  let start = 0
  let end = text.length
  while (start < end && isSpaceCode(text.charCodeAt(start))) start++
  while (end > start && isSpaceCode(text.charCodeAt(end - 1))) end--
  return start === 0 && end === text.length ? text : text.slice(start, end)
}

/** How much of a line a warning shows. */
const EXCERPT = 30

/** Only white space, or a comment. */
function isIgnored(line: string): boolean {
  let at = 0
  while (at < line.length && isSpaceCode(line.charCodeAt(at))) at++
  return at === line.length || line[at] === '#'
}

/**
 * @param warn is told about a continuation without anything before it; such a line is left out
 */
export function readLogicalLines(
  source: string,
  path: string,
  warn: (text: string) => void,
): LogicalLine[] {
  const found: LogicalLine[] = []
  let text: string | undefined
  let first = 0
  let last = 0
  const finish = (): void => {
    if (text === undefined) return
    if (isSpaceCode(text.charCodeAt(0))) {
      const excerpt = text.length > EXCERPT ? `${text.slice(0, EXCERPT)}...` : text
      warn(`${path}: logical line must not start with whitespace: "${excerpt}"`)
    } else {
      found.push({ text, first, last })
    }
  }
  let number = 0
  for (let from = 0; from < source.length;) {
    const end = source.indexOf('\n', from)
    const line = end < 0 ? source.slice(from) : source.slice(from, end)
    from = end < 0 ? source.length : end + 1
    number++
    if (isIgnored(line)) continue
    if (text !== undefined && isSpaceCode(line.charCodeAt(0))) {
      text += line
    } else {
      finish()
      text = line
      first = number
    }
    last = number
  }
  finish()
  return found
}
