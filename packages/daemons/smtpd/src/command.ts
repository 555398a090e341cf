/**
 * command - one line from the client, taken apart
 *
 * Words are separated by blanks. What follows `MAIL FROM:` and `RCPT TO:` is left to the verb, because a path
 * may hold blanks. Unprintable octets become `?` here, so no later log line or reply needs care.
 */
import { printable } from '@posthorn/log/printable'

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
  const text = printable((nul < 0 ? line : line.slice(0, nul)).replaceAll('\t', ' ')).trim()
  if (text === '') return EMPTY
  const blank = text.indexOf(' ')
  if (blank < 0) return { verb: text, argument: '', words: [] }
  const argument = text.slice(blank).trimStart()
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
