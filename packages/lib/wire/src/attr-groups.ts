/**
 * attr-groups - attributes that several protocols have in common
 *
 * RECIPIENT and DSN travel in delivery requests and in bounce requests; MSG_STATS is in message-stats.ts.
 * Source: Postfix 3.7 internal protocols; RFC 3461 for what the DSN members mean.
 */
import { group, int, long, text, type AttrReader, type Field, type ValueOf } from './attr-schema.ts'
import { formatInt, parseInt32 } from './attr-number.ts'
import { refuseDelimiter } from './attr-list.ts'
import { AttrError } from './wire-error.ts'

/** When to notify the sender (RFC 3461 4.1), as bits; 0 is "not specified". */
export const NOTIFY_FLAGS = { never: 1, success: 2, failure: 4, delay: 8 } as const

/** How much of the message a notification returns (RFC 3461 4.3); 0 is "not specified". */
export const RETURN_FLAGS = { full: 1, headers: 2 } as const

/** Why a message needs SMTPUTF8 (RFC 6531), as bits. */
export const SMTPUTF8_FLAGS = { requested: 1, header: 2, sender: 4, recipient: 8 } as const

/**
 * What a message asks of TLS (RFC 8689), in the same attribute and field as SMTPUTF8_FLAGS, which Postfix 3.10 calls
 * sendopts. Postfix 3.7 hands these bits on and does not look at them.
 */
export const SENDOPT_FLAGS = {
  /** There is a header `TLS-Required: No`. */
  tlsOptional: 16,
  /** REQUIRETLS */
  requireTls: 32,
} as const

export const recipientFields = {
  /** before aliasing and mapping; empty when unknown */
  originalRecipient: text('original_recipient'),
  /** internal (unquoted) form */
  recipient: text('recipient'),
  /** of the recipient record in the queue file; -1 when there is none to mark */
  offset: long('offset'),
  /** `type;address` of RFC 3461 4.2, or empty */
  dsnOriginalRecipient: text('dsn_orig_rcpt'),
  notifyFlags: int('notify_flags'),
}

/** A recipient as it travels: the RECIPIENT group. */
export type Recipient = ValueOf<typeof recipientFields>

export const recipientGroup: Field<Recipient> = group(recipientFields)

export const dsnFields = {
  /** enhanced status code, as 4.4.1; empty when there is nothing to say */
  status: text('status'),
  /** `smtp`, `x-unix`, or empty */
  diagnosticType: text('diag_type'),
  diagnosticText: text('diag_text'),
  /** `dns`, or empty */
  remoteMtaType: text('mta_type'),
  remoteMtaName: text('mta_mname'),
  /** failed, delayed, delivered, relayed, expanded, deliverable, undeliverable, or empty */
  action: text('action'),
  /** free text */
  reason: text('reason'),
}

/** What happened to a recipient: the DSN group. */
export type DsnFields = ValueOf<typeof dsnFields>

export const dsnGroup: Field<DsnFields> = group(dsnFields)

export const emptyDsn: DsnFields = {
  status: '',
  diagnosticType: '',
  diagnosticText: '',
  remoteMtaType: '',
  remoteMtaName: '',
  action: '',
  reason: '',
}

/** A receiver of an argument vector takes at most this many elements. */
export const argvLimit = 1024

/** A list of strings: their count, then each. */
export const argv: Field<readonly string[]> = {
  encode: (values) => {
    let octets = `argv_size\0${formatInt(values.length)}\0`
    for (const value of values) {
      refuseDelimiter(value, '\0', 'argv_value')
      octets += `argv_value\0${value}\0`
    }
    return octets
  },
  format: (values, into) => {
    into.push(['argv_size', formatInt(values.length)])
    for (const value of values) into.push(['argv_value', value])
  },
  parse: (reader: AttrReader) => {
    const count = parseInt32(reader.next('argv_size'), 'argv_size')
    if (count < 0 || count > argvLimit) {
      throw new AttrError(`Cannot parse argv_size "${count}": want at most ${argvLimit}`)
    }
    return Array.from({ length: count }, () => reader.next('argv_value'))
  },
}

export const statusFields = { status: int('status') }
