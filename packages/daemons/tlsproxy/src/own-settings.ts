/**
 * own-settings - what main.cf says about tlsproxy(8)'s clients: as a rule the same as they say themselves
 *
 * Source: Postfix 3.7 tlsproxy(8).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import { readClientParams } from '@posthorn/tls/client-params'
import type { ClientSettings } from './unexpected-settings.ts'

/** undefined: main.cf does not ask for TLS clients. */
export function readOwnSettings(config: MainConfig): ClientSettings | undefined {
  const level = config.keyword('tlsproxy_client_security_level')
  const isWanted =
    level === ''
      ? config.boolean('tlsproxy_client_use_tls') || config.boolean('tlsproxy_client_enforce_tls')
      : level !== 'none'
  if (!isWanted) return undefined
  const init = {
    logParameter: config.text('tlsproxy_client_loglevel_parameter'),
    logLevel: config.text('tlsproxy_client_loglevel'),
    verifyDepth: config.integer('tlsproxy_client_scert_verifydepth'),
    cacheType: 'smtp',
    chainFiles: config.text('tlsproxy_client_chain_files'),
    certFile: config.text('tlsproxy_client_cert_file'),
    keyFile: config.text('tlsproxy_client_key_file'),
    dsaCertFile: config.text('tlsproxy_client_dcert_file'),
    dsaKeyFile: config.text('tlsproxy_client_dkey_file'),
    ecCertFile: config.text('tlsproxy_client_eccert_file'),
    ecKeyFile: config.text('tlsproxy_client_eckey_file'),
    caFile: config.text('tlsproxy_client_CAfile'),
    caPath: config.text('tlsproxy_client_CApath'),
    digest: config.text('tlsproxy_client_fingerprint_digest'),
  }
  return { params: readClientParams(config), init }
}
