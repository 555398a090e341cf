/**
 * record - the records of which queue files and submissions consist
 *
 *   type (1 octet) | length (7 bits per octet, least significant first, bit 0x80 = more) | payload
 *
 * There is no header, checksum or alignment. Records are latin1 strings here: one character per
 * octet. The same letter can mean two things: L is a content filter in the envelope, and text
 * without a line end in the content.
 * Source: Postfix 3.7 queue files as documented in docs/queue.md.
 */
import { RecordError } from './queue-error.ts'

/** Record types by the names that postcat(1) prints, where it has one. */
export const RECORD = {
  size: 'C',
  time: 'T',
  createTime: 'c',
  fullName: 'F',
  inspector: 'I',
  filter: 'L',
  sender: 'S',
  done: 'D',
  recipient: 'R',
  originalRecipient: 'O',
  canceled: '/',
  warnTime: 'W',
  attribute: 'A',
  killed: 'K',
  redirect: '>',
  verp: 'V',
  dsnReturn: '<',
  dsnEnvelopeId: 'i',
  dsnOriginalRecipient: 'o',
  dsnNotify: 'n',
  message: 'M',
  line: 'N',
  part: 'L',
  padding: 'w',
  pointer: 'p',
  extracted: 'X',
  returnReceipt: 'r',
  errorsTo: 'e',
  priority: 'P',
  end: 'E',
  flags: 'f',
  milters: 'm',
} as const

/** A reader accepts five length octets, as Postfix 3.7 does; a writer never needs more than four. */
const LENGTH_OCTETS_LIMIT = 5

export interface QueueRecord {
  readonly type: string
  readonly payload: string
}

/** A record with the place behind it in the text that was parsed. */
export interface ParsedRecord extends QueueRecord {
  readonly end: number
}

/** One record as octets, with the shortest length. `payload` holds one character per octet. */
export function encodeRecord(type: string, payload = ''): string {
  let rest = payload.length
  if (rest < 0x80) return type + String.fromCharCode(rest) + payload
  let length = ''
  while (rest >= 0x80) {
    length += String.fromCharCode((rest & 0x7f) | 0x80)
    rest >>>= 7
  }
  return type + length + String.fromCharCode(rest) + payload
}

/**
 * The record that begins at `from`; undefined when it is not all there yet.
 * @param limitOctets longest payload accepted, checked before the payload has arrived; 0 = any
 * @throws {RecordError} too many length octets, or a payload beyond the limit
 */
export function parseRecord(octets: string, from = 0, limitOctets = 0): ParsedRecord | undefined {
  let length = 0
  let scale = 1
  let at = from + 1
  for (;;) {
    if (at >= octets.length) return undefined
    if (at - from > LENGTH_OCTETS_LIMIT) {
      throw new RecordError(`too many length bits, record type ${octets.charCodeAt(from)}`)
    }
    const octet = octets.charCodeAt(at)
    at += 1
    length += (octet & 0x7f) * scale
    if (octet < 0x80) break
    scale *= 0x80
  }
  if (limitOctets > 0 && length > limitOctets) {
    throw new RecordError(`illegal length ${length}, record type ${octets.charCodeAt(from)}`)
  }
  const end = at + length
  if (end > octets.length) return undefined
  return { type: octets.charAt(from), payload: octets.slice(at, end), end }
}

/**
 * What is wrong with octets that end before the record at their beginning does, in Postfix's words.
 */
export function describeTruncation(octets: string): string {
  const type = `record type ${octets.charCodeAt(0)}`
  let length = 0
  for (let at = 1; at < octets.length; at += 1) {
    const octet = octets.charCodeAt(at)
    length += (octet & 0x7f) * 0x80 ** (at - 1)
    if (octet < 0x80) return `unexpected EOF in data, ${type} length ${length}`
  }
  return `unexpected EOF reading length, ${type}`
}

/** Most payloads are C strings to Postfix: what follows a NUL does not count. */
export function untilNul(payload: string): string {
  const nul = payload.indexOf('\0')
  return nul < 0 ? payload : payload.slice(0, nul)
}
