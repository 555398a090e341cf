/**
 * sasl-options - smtp_sasl_* and lmtp_sasl_*, read once
 *
 * smtp_sasl_path, lmtp_sasl_path and cyrus_sasl_config_path say where a library finds its configuration; there is none here,
 * and they are accepted without effect.
 * Source: Postfix 3.7 smtp(8), SASL_README.
 */
import { ConfigError } from '@posthorn/config/config-error'
import type { MainConfig } from '@posthorn/config/main-config'
import type { TextParameter } from '@posthorn/config/parameter-registry'
import { SECURITY_OPTIONS, type SecurityOption } from '@posthorn/sasl/choose-mechanism'
import { PEER_STATUS, type TlsContext } from '@posthorn/wire/tlsproxy-protocol'
import type { Protocol } from './client-options.ts'

type Security = ReadonlySet<SecurityOption>

export interface SaslOptions {
  /** What is asked of a mechanism, by what the connection gives. */
  readonly security: {
    readonly plaintext: Security
    readonly tls: Security
    readonly verified: Security
  }
  /** Credentials that are refused are our fault: mail waits until they are right. */
  readonly isSoftBounce: boolean
  /** The authorization identity is sent, too. */
  readonly sendsAuthorization: boolean
  /** For each command of the dialogue. */
  readonly timeoutMs: number
}

/** @throws {ConfigError} a word that is no option, or an implementation that we are not */
export function readSaslOptions(config: MainConfig, protocol: Protocol): SaslOptions {
  const type = config.text(`${protocol}_sasl_type`)
  if (type !== 'cyrus') {
    const warnings = [`unsupported SASL client implementation: ${type}`]
    throw new ConfigError('SASL library initialization', { warnings })
  }
  return {
    security: {
      plaintext: readSecurity(config, `${protocol}_sasl_security_options`),
      tls: readSecurity(config, `${protocol}_sasl_tls_security_options`),
      verified: readSecurity(config, `${protocol}_sasl_tls_verified_security_options`),
    },
    isSoftBounce: config.boolean(`${protocol}_sasl_auth_soft_bounce`),
    sendsAuthorization: config.boolean('send_cyrus_sasl_authzid'),
    timeoutMs:
      config.seconds(protocol === 'smtp' ? 'smtp_helo_timeout' : 'lmtp_lhlo_timeout') * 1000,
  }
}

export function securityFor({ security }: SaslOptions, context: TlsContext | undefined): Security {
  if (context === undefined) return security.plaintext
  return (context.peerStatus & PEER_STATUS.matched) === 0 ? security.tls : security.verified
}

function readSecurity(config: MainConfig, name: TextParameter): Security {
  const words = config.list(name).map((word) => word.toLowerCase())
  return new Set(
    words.map((word) => {
      const option = SECURITY_OPTIONS.find((known) => known === word)
      if (option !== undefined) return option
      const why = `unknown SASL security options value "${word}" in "${config.text(name)}"`
      const warnings = [why, 'bad per-session SASL security properties']
      throw new ConfigError('SASL per-connection initialization failed', { warnings })
    }),
  )
}
