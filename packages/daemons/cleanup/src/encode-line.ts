/**
 * encode-line - message text as records of bounded length
 *
 * pickup(8) refuses longer records than line_length_limit, so a message that is sent through it again (postsuper -r) would
 * be lost with one.
 */
import { encodeRecord, RECORD } from '@posthorn/queue/record'

/** @param type of the last record: a line, or a piece of one */
export function encodeLine(text: string, limit: number, type: string = RECORD.line): string {
  if (text.length <= limit) return encodeRecord(type, text)
  let octets = ''
  let at = 0
  for (; text.length - at > limit; at += limit) {
    octets += encodeRecord(RECORD.part, text.slice(at, at + limit))
  }
  return octets + encodeRecord(type, text.slice(at))
}

/** Records of a logical header, lines separated by LF; a continuation line begins with a blank or gets a tab. */
export function encodeHeader(text: string, limit: number): string {
  if (!text.includes('\n')) return encodeLine(text, limit)
  return text
    .split('\n')
    .map((line, at) => encodeLine(at === 0 || /^[ \t]/.test(line) ? line : `\t${line}`, limit))
    .join('')
}
