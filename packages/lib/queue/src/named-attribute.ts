/**
 * named-attribute - `name=value` records
 *
 * The grammar serves queue files and message logs: blanks around name and `=` and after the value
 * do not count.
 */
import { encodeRecord, RECORD } from './record.ts'

export interface NamedAttribute {
  readonly name: string
  readonly value: string
}

/** `value` must not contain NUL, CR or LF. */
export function encodeAttribute(name: string, value: string | number): string {
  return encodeRecord(RECORD.attribute, `${name}=${value}`)
}

/** A string says what is missing, in the words that log lines use. */
export function parseAttribute(text: string): NamedAttribute | string {
  const found = /^\s*([^\s=]*)\s*(=?)\s*/.exec(text)
  const name = found?.[1] ?? ''
  if (name === '') return 'missing attribute name'
  if (found?.[2] !== '=') return "missing '=' after attribute name"
  return { name, value: text.slice(found[0].length).trimEnd() }
}

/** Attributes that are also record types of their own on the way into the queue. */
const PSEUDO_TYPES: ReadonlyMap<string, string> = new Map([
  ['create_time', RECORD.createTime],
  ['ret_flags', RECORD.dsnReturn],
  ['envelope_id', RECORD.dsnEnvelopeId],
  ['dsn_orig_rcpt', RECORD.dsnOriginalRecipient],
  ['notify_flags', RECORD.dsnNotify],
])

/** The record type that means the same as this attribute, if there is one. */
export function pseudoType(name: string): string | undefined {
  return PSEUDO_TYPES.get(name)
}
