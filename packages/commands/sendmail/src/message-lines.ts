/**
 * message-lines - the message on standard input, line by line
 *
 * Lines come without their line ends, long ones in pieces. `From ` lines before the headers are dropped, and where -i is
 * not given a line with a single dot ends the message. CRs before LF are stripped as sendmail_fix_line_endings says:
 * always, never, or when the first line ends so (strict).
 *
 * Limit: lineLimit octets of a line are held.
 * Source: Postfix 3.7 sendmail(1).
 */
export interface LinePiece {
  readonly text: string
  /** false: the line goes on in the next piece, or the input ended without a line end. */
  readonly endsLine: boolean
}

export interface LineRules {
  readonly lineLimit: number
  readonly ignoresDots: boolean
  readonly lineEndings: 'always' | 'strict' | 'never'
}

export async function* readMessageLines(
  input: AsyncIterable<Buffer>,
  rules: LineRules,
): AsyncGenerator<LinePiece, void, undefined> {
  const fixer = new LineEndings(rules.lineEndings)
  let isMidLine = false
  let isStart = true
  for await (const piece of splitLines(input, rules.lineLimit)) {
    const beginsLine = !isMidLine
    isMidLine = !piece.endsLine
    const text = fixer.fix(piece)
    if (beginsLine) {
      if (isStart && /^>*From /.test(text)) continue
      isStart = false
      // The dot of an input without a line end ends it, too.
      if (!rules.ignoresDots && text === '.') return
    }
    yield { text, endsLine: piece.endsLine }
  }
}

class LineEndings {
  readonly #mode: LineRules['lineEndings']
  #strips: boolean | undefined

  constructor(mode: LineRules['lineEndings']) {
    this.#mode = mode
    if (mode === 'always') this.#strips = true
    if (mode === 'never') this.#strips = false
  }

  fix(piece: LinePiece): string {
    if (!piece.endsLine) return piece.text
    if (this.#mode === 'strict') this.#strips ??= piece.text.endsWith('\r')
    return this.#strips === true ? piece.text.replace(/\r+$/, '') : piece.text
  }
}

/** A line of `limit` octets or more goes on in another piece, if only in an empty one; a CR counts as text here. */
async function* splitLines(
  input: AsyncIterable<Buffer>,
  limit: number,
): AsyncGenerator<LinePiece, void, undefined> {
  let rest = ''
  for await (const chunk of input) {
    rest += chunk.toString('latin1')
    let at = 0
    for (let end = rest.indexOf('\n'); end >= 0; end = rest.indexOf('\n', at)) {
      for (; end - at >= limit; at += limit) {
        yield { text: rest.slice(at, at + limit), endsLine: false }
      }
      yield { text: rest.slice(at, end), endsLine: true }
      at = end + 1
    }
    for (; rest.length - at >= limit; at += limit) {
      yield { text: rest.slice(at, at + limit), endsLine: false }
    }
    rest = rest.slice(at)
  }
  if (rest !== '') yield { text: rest, endsLine: false }
}
