/**
 * cut-header - a logical header within header_size_limit
 *
 * Source: Postfix 3.7 cleanup(8).
 */

/** What may stay of a header, lines separated by LF: cut at the end of a line if one is near the limit. */
export function cutHeader(text: string, limitOctets: number): string {
  if (text.length <= limitOctets) return text
  const cut = text.slice(0, limitOctets)
  const lineEnd = text.lastIndexOf('\n', limitOctets)
  return lineEnd > 0.9 * limitOctets ? cut.slice(0, lineEnd) : cut
}

/** The same for a header that was folded anew, whose line ends do not count. */
export function cutFoldedHeader(text: string, limitOctets: number): string {
  if (text.length <= limitOctets) return text
  const lines: string[] = []
  let rest = limitOctets
  for (const line of text.split('\n')) {
    if (rest < line.length && rest < 0.1 * limitOctets) break
    lines.push(line.slice(0, rest))
    rest -= line.length
  }
  return lines.join('\n')
}
