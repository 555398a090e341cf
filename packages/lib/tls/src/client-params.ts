/**
 * client-params - the parameters without a prefix, which hold for every TLS client of the system
 *
 * smtp(8), lmtp(8) and tlsproxy(8) read the same ones: tlsproxy(8) compares its own with those of its clients. Servers have most
 * of them too. Two do not travel to tlsproxy(8), which has its own.
 * Source: Postfix 3.7 tlsproxy(8), smtp(8).
 */
import type { MainConfig } from '@posthorn/config/main-config'
import type { TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'
import type { ClientEngineOptions } from './client-engine.ts'

export function readClientParams(config: MainConfig): TlsClientParams {
  return {
    configFile: config.text('tls_config_file'),
    configName: config.text('tls_config_name'),
    highCipherList: config.text('tls_high_cipherlist'),
    mediumCipherList: config.text('tls_medium_cipherlist'),
    lowCipherList: config.text('tls_low_cipherlist'),
    exportCipherList: config.text('tls_export_cipherlist'),
    nullCipherList: config.text('tls_null_cipherlist'),
    autoCurves: config.text('tls_eecdh_auto_curves'),
    strongCurve: config.text('tls_eecdh_strong_curve'),
    ultraCurve: config.text('tls_eecdh_ultra_curve'),
    disabledWorkarounds: config.text('tls_disable_workarounds'),
    sslOptions: config.text('tls_ssl_options'),
    daneDigests: config.text('tls_dane_digests'),
    tlsmgrService: config.text('tlsmgr_service_name'),
    ticketCipher: config.text('tls_session_ticket_cipher'),
    randomBytes: config.integer('tls_daemon_random_bytes'),
    appendsDefaultCa: Number(config.boolean('tls_append_default_CA')),
    hasLegacyKeyFingerprints: Number(config.boolean('tls_legacy_public_key_fingerprints')),
    preemptsCipherList: Number(config.boolean('tls_preempt_cipherlist')),
    wildcardMatchesManyLabels: Number(config.boolean('tls_wildcard_matches_multiple_labels')),
  }
}

export function readEngineOptions(
  config: MainConfig,
): Pick<ClientEngineOptions, 'awaitsPeerClose' | 'ffdheGroups'> {
  return {
    awaitsPeerClose: !config.boolean('tls_fast_shutdown_enable'),
    ffdheGroups: config.text('tls_ffdhe_auto_groups'),
  }
}
