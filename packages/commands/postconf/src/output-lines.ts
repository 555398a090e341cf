/**
 * output-lines - one setting as one line, folded on demand
 */

const LINE_LIMIT = 80
const INDENT = '    '

/** What -h, -H and -f ask for. */
export interface LineStyle {
  readonly hidesName: boolean
  readonly hidesValue: boolean
  readonly isFolded: boolean
}

/** `name = value`, runs of white space as one blank, with a line feed. */
export function formatSetting(name: string, value: string, style: LineStyle): string {
  if (style.hidesValue) return `${name}\n`
  const text = style.hidesName ? value : `${name} = ${value}`
  const words = text.split(/[ \t\r\n]+/).filter((word) => word !== '')
  return `${style.isFolded ? fold(words) : words.join(' ')}\n`
}

/** A word goes to the next line when it would make this one reach 80; the blank before it is not counted. */
function fold(words: readonly string[]): string {
  let text = ''
  let length = 0
  for (const word of words) {
    if (length === 0) {
      text += word
      length = word.length
    } else if (length + word.length < LINE_LIMIT) {
      text += ` ${word}`
      length += word.length + 1
    } else {
      text += `\n${INDENT}${word}`
      length = INDENT.length + word.length
    }
  }
  return text
}
