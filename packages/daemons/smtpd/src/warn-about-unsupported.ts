/**
 * warn-about-unsupported - says at the start which parameters are set and not followed yet
 *
 * Those that somebody relies on for safety or function; what happens instead stands beside them.
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { BooleanParameter, TextParameter } from '@posthorn/config/parameter-registry'
import { log } from '@posthorn/log/log'
import { isTlsRequired } from './smtpd-settings.ts'

const NO_EFFECT = 'it has no effect'

const TEXTS: readonly (readonly [TextParameter, string])[] = [
  ['smtpd_milters', 'milter_default_action decides about the mail'],
  ['smtpd_milter_maps', 'milter_default_action decides about the mail'],
  ['smtpd_sender_login_maps', NO_EFFECT],
  ['smtpd_dns_reply_filter', NO_EFFECT],
]

const SWITCHES: readonly (readonly [BooleanParameter, string])[] = [
  ['smtpd_tls_wrappermode', 'every client is turned away'],
  ['smtpd_sasl_auth_enable', 'AUTH is not offered'],
]

export function warnAboutUnsupported(config: MainConfig): void {
  const warn = (name: string, effect: string): void => {
    log.warning(`${name} is set and not supported yet: ${effect}`)
  }
  for (const [name, effect] of TEXTS) if (config.text(name) !== '') warn(name, effect)
  for (const [name, effect] of SWITCHES) if (config.boolean(name)) warn(name, effect)
  if (config.flags('smtpd_proxy_options').size > 0) warn('smtpd_proxy_options', NO_EFFECT)
  const level = config.text('smtpd_tls_security_level').toLowerCase()
  if (isTlsRequired(config)) {
    const name = level === '' ? 'smtpd_enforce_tls' : 'smtpd_tls_security_level'
    warn(name, 'mail is refused for now, because there is no TLS')
  } else if (level === 'may' || (level === '' && config.boolean('smtpd_use_tls'))) {
    warn(level === '' ? 'smtpd_use_tls' : 'smtpd_tls_security_level', 'STARTTLS is not offered')
  }
}
