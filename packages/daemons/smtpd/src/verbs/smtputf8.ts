/**
 * smtputf8 - may this address be used in this transaction (RFC 6531 3.2)
 */
import type { Session } from '../session.ts'

/** Octets above 127 in the local part, without SMTPUTF8 having been asked for: strict_smtputf8 refuses that. */
export function isUnsuitableAscii(session: Session, address: string, isSmtpUtf8: boolean): boolean {
  const { isUtf8Enabled, isUtf8Strict } = session.host.settings
  return isUtf8Enabled && isUtf8Strict && !isSmtpUtf8 && /[\x80-\xff]/.test(address)
}
