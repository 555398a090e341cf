/**
 * cut-header - a logical header within header_size_limit
 *
 * Source: Postfix 3.7 cleanup(8).
 */

/** What may stay of a header, lines separated by LF: cut at the end of a line if one is near the limit. */
export function cutHeader(text: string, limitOctets: number): string {
  if (text.length <= limitOctets) return text
  const cut = text.slice(0, limitOctets)
  const lineEnd = cut.lastIndexOf('\n')
  return lineEnd > 0.9 * limitOctets ? cut.slice(0, lineEnd) : cut
}
