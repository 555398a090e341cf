/**
 * login-checks - reject_*_sender_login_mismatch: does the login own the sender address (smtpd_sender_login_maps)
 *
 * Nobody can log in, as there is no SASL; Postfix without SASL ignores these restrictions, and says so, likewise.
 */
import { log } from '@posthorn/log/log'
import { dunno, type Check } from './restriction.ts'

const NAMES: Readonly<Record<string, readonly string[]>> = {
  reject_sender_login_mismatch: ['authenticated', 'unauthenticated'],
  reject_authenticated_sender_login_mismatch: ['authenticated'],
  reject_unauthenticated_sender_login_mismatch: ['unauthenticated'],
  reject_known_sender_login_mismatch: ['known'],
}

export function loginChecks(): [string, Check][] {
  return Object.entries(NAMES).map(([name, kinds]) => [
    name,
    () => {
      for (const kind of kinds) {
        log.warning(`restriction \`reject_${kind}_sender_login_mismatch' ignored: no SASL support`)
      }
      return dunno
    },
  ])
}
