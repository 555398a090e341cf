/**
 * smtputf8 - may this address be used in this transaction (RFC 6531 3.2)
 *
 * Without SMTPUTF8, a domain beyond ASCII has no meaning; a local part beyond ASCII passes, as it always has,
 * unless strict_smtputf8 refuses it. With smtputf8_enable = no, neither does.
 */
import { splitAddress } from '@posthorn/address/split-address'
import type { SmtpPath } from '@posthorn/address/smtp-path'
import type { Session } from '../session.ts'
import { logBadAddress } from './mail.ts'

const beyondAscii = /[\x80-\xff]/

/** The reply to an address that asks for SMTPUTF8 in vain, or `bad` after a log line; undefined: it is fit. */
export function unfitForAscii(
  session: Session,
  { path, address }: Pick<SmtpPath, 'path' | 'address'>,
  isSmtpUtf8: boolean,
  bad: string,
): string | undefined {
  if (isSmtpUtf8 || !beyondAscii.test(address)) return undefined
  const { isUtf8Enabled, isUtf8Strict } = session.host.settings
  if (!isUtf8Enabled || beyondAscii.test(splitAddress(address).domain ?? '')) {
    logBadAddress(session, path)
    return bad
  }
  return isUtf8Strict ? '553 5.6.7 Must declare SMTPUTF8 to send unicode address' : undefined
}
