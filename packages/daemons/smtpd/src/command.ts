/**
 * command - one line from the client, taken apart
 *
 * Words are separated by blanks (or tabs, or carriage returns). What follows `MAIL FROM:` and `RCPT TO:` is left to the verb, because a path
 * may hold blanks. Control characters become `?` here; what is no UTF-8 stays for the verb to judge.
 */
export interface Command {
  /** As the client wrote it. */
  readonly verb: string
  /** Everything behind the verb, without blanks at both ends. */
  readonly argument: string
  /** The words of the argument. */
  readonly words: readonly string[]
}

const EMPTY: Command = { verb: '', argument: '', words: [] }

/** `line` is without its line end. An empty verb: the line says nothing. */
export function parseCommand(line: string): Command {
  const nul = line.indexOf('\0')
  const words = (nul < 0 ? line : line.slice(0, nul)).replace(/[\t\v\f\r]/g, ' ')
  const text = words.replace(/[\x00-\x1f\x7f]/g, '?').replace(/^ +| +$/g, '')
  if (text === '') return EMPTY
  const blank = text.indexOf(' ')
  if (blank < 0) return { verb: text, argument: '', words: [] }
  const argument = text.slice(blank).replace(/^ +/, '')
  return { verb: text.slice(0, blank), argument, words: argument.split(/ +/) }
}

const beyondAscii = /[\x80-\xff]/
const decoder = new TextDecoder('utf-8', { fatal: true })

/** Are the octets text in UTF-8 (or plain ASCII)? */
export function isUtf8(octets: string): boolean {
  if (!beyondAscii.test(octets)) return true
  try {
    decoder.decode(Buffer.from(octets, 'latin1'))
    return true
  } catch {
    return false
  }
}
