/**
 * wrap-line - long lines of a notice
 *
 * Breaks at blanks; a word that is longer than a line stays whole.
 */

/** Lines of at most `columns` where words allow; those after the first are indented. */
export function wrapLine(text: string, columns = 79, indent = 4): string[] {
  const lines: string[] = []
  let rest = text
  let room = columns
  while (rest.length > room) {
    let end = rest.lastIndexOf(' ', room)
    if (end <= 0) end = rest.indexOf(' ', room)
    if (end <= 0) break
    lines.push(rest.slice(0, end).trimEnd())
    rest = rest.slice(end).trimStart()
    room = columns - indent
  }
  if (rest !== '' || lines.length === 0) lines.push(rest)
  return lines.map((line, index) => (index === 0 ? line : ' '.repeat(indent) + line))
}
