/**
 * record-names - what postcat(1) calls the records of an envelope
 *
 * Scripts look for these names. Source: Postfix 3.7 postcat(1).
 */
import { RECORD } from '@posthorn/queue/record'

const NAMES: ReadonlyMap<string, string> = new Map([
  [RECORD.size, 'message_size'],
  [RECORD.time, 'message_arrival_time'],
  [RECORD.createTime, 'queue_file_create_time'],
  [RECORD.fullName, 'sender_fullname'],
  [RECORD.inspector, 'content_inspector'],
  [RECORD.filter, 'content_filter'],
  [RECORD.sender, 'sender'],
  [RECORD.done, 'done_recipient'],
  [RECORD.recipient, 'recipient'],
  [RECORD.originalRecipient, 'original_recipient'],
  [RECORD.canceled, 'canceled_recipient'],
  [RECORD.warnTime, 'warning_message_time'],
  [RECORD.attribute, 'named_attribute'],
  [RECORD.killed, 'killed_record'],
  [RECORD.redirect, 'redirect_to'],
  [RECORD.line, 'regular_text'],
  [RECORD.padding, 'padding'],
  [RECORD.pointer, 'pointer_record'],
  [RECORD.returnReceipt, 'return_receipt'],
  [RECORD.errorsTo, 'errors_to'],
  [RECORD.priority, 'priority'],
  [RECORD.verp, 'verp_delimiters'],
  [RECORD.dsnReturn, 'dsn_return_flags'],
  [RECORD.dsnEnvelopeId, 'dsn_envelope_id'],
  [RECORD.dsnOriginalRecipient, 'dsn_original_recipient'],
  [RECORD.dsnNotify, 'dsn_notify_flags'],
  [RECORD.flags, 'flags'],
])

export function recordName(type: string): string {
  return NAMES.get(type) ?? 'unknown_record_type'
}

/** A file that begins with anything else is no queue file. */
export function isEnvelopeType(type: string): boolean {
  return /^[CTcFILSDRO/WAK>pV<ion]$/.test(type)
}
