import { MainConfig } from '@posthorn/config/main-config'
import type { TlsClientParams } from '@posthorn/wire/tlsproxy-protocol'
import t from 'tap'
import { readClientParams } from './client-params.ts'

/** A value that is not the default, and where the engine gets it. */
const PARAMETERS: Readonly<Record<string, readonly [string, keyof TlsClientParams, unknown]>> = {
  tls_config_file: ['/openssl.cnf', 'configFile', '/openssl.cnf'],
  tls_config_name: ['posthorn', 'configName', 'posthorn'],
  tls_high_cipherlist: ['AES256', 'highCipherList', 'AES256'],
  tls_medium_cipherlist: ['AES128', 'mediumCipherList', 'AES128'],
  tls_low_cipherlist: ['LOW', 'lowCipherList', 'LOW'],
  tls_export_cipherlist: ['EXPORT', 'exportCipherList', 'EXPORT'],
  tls_null_cipherlist: ['NULL', 'nullCipherList', 'NULL'],
  tls_eecdh_auto_curves: ['X25519', 'autoCurves', 'X25519'],
  tls_eecdh_strong_curve: ['secp521r1', 'strongCurve', 'secp521r1'],
  tls_eecdh_ultra_curve: ['secp521r1', 'ultraCurve', 'secp521r1'],
  tls_disable_workarounds: ['CRYPTOPRO-TLSEXT-BUG', 'disabledWorkarounds', 'CRYPTOPRO-TLSEXT-BUG'],
  tls_ssl_options: ['NO_RENEGOTIATION', 'sslOptions', 'NO_RENEGOTIATION'],
  tls_dane_digests: ['sha256', 'daneDigests', 'sha256'],
  tlsmgr_service_name: ['other', 'tlsmgrService', 'other'],
  tls_session_ticket_cipher: ['aes-128-cbc', 'ticketCipher', 'aes-128-cbc'],
  tls_daemon_random_bytes: ['16', 'randomBytes', 16],
  tls_append_default_CA: ['yes', 'appendsDefaultCa', 1],
  tls_legacy_public_key_fingerprints: ['yes', 'hasLegacyKeyFingerprints', 1],
  tls_preempt_cipherlist: ['yes', 'preemptsCipherList', 1],
  tls_wildcard_matches_multiple_labels: ['no', 'wildcardMatchesManyLabels', 0],
}

t.test('readClientParams() reads each parameter, and nothing else of it', (t) => {
  const plain = readClientParams(MainConfig.of({}))
  for (const [name, [value, field, expected]] of Object.entries(PARAMETERS)) {
    const params = readClientParams(MainConfig.of({ [name]: value }))
    t.same(params, { ...plain, [field]: expected }, name)
    t.not(plain[field], expected, `${name} has another default`)
  }
  t.equal(Object.keys(PARAMETERS).length, Object.keys(plain).length, 'all of them')
  t.end()
})
