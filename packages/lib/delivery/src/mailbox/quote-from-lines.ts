/**
 * quote-from-lines - keeps a message from looking like several ones in an mbox file
 *
 * A line that begins with `From ` starts the next message of the file; such lines of the text get a `>` in front
 * (the mboxo format: lines that had one before stay as they are). Source: Postfix 3.7 local(8); RFC 4155.
 */

const from = 'From '

/** @param content in chunks of any size; a chunk may end within a line */
export async function* quoteFromLines(
  content: AsyncIterable<string>,
): AsyncGenerator<string, void, undefined> {
  let isLineStart = true
  /** The beginning of a line that may still become a `From ` line. */
  let held = ''
  for await (const octets of content) {
    const chunk = held + octets
    held = ''
    const lastLine = chunk.lastIndexOf('\n') + 1
    const tail = chunk.slice(lastLine)
    let text = chunk
    if ((lastLine > 0 || isLineStart) && tail.length < from.length && from.startsWith(tail)) {
      held = tail
      text = chunk.slice(0, lastLine)
    }
    if (text === '') continue
    const quoted = text.includes(`\n${from}`) ? text.replaceAll(`\n${from}`, `\n>${from}`) : text
    yield isLineStart && quoted.startsWith(from) ? `>${quoted}` : quoted
    isLineStart = text.endsWith('\n')
  }
  if (held !== '') yield held
}
