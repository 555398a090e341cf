/**
 * ssl-options - tls_ssl_options and tls_disable_workarounds as bits of OpenSSL
 *
 * Node.js has no names for some of them. All the work-arounds that there are (SSL_OP_ALL) are on unless disabled.
 * Source: SSL_CTX_set_options(3), OpenSSL 3; Postfix 3.7 postconf(5).
 */
import { constants } from 'node:crypto'
import { log } from '@posthorn/log/log'

const FEATURES: Readonly<Record<string, number>> = {
  ENABLE_MIDDLEBOX_COMPAT: 2 ** 20,
  LEGACY_SERVER_CONNECT: 2 ** 2,
  NO_TICKET: 2 ** 14,
  NO_COMPRESSION: 2 ** 17,
  NO_RENEGOTIATION: 2 ** 30,
  NO_SESSION_RESUMPTION_ON_RENEGOTIATION: 2 ** 16,
  PRIORITIZE_CHACHA: 2 ** 21,
}

/** Those that OpenSSL has given up have no bit. */
const WORKAROUNDS: Readonly<Record<string, number>> = {
  CRYPTOPRO_TLSEXT_BUG: 2 ** 31,
  DONT_INSERT_EMPTY_FRAGMENTS: 2 ** 11,
  LEGACY_SERVER_CONNECT: 2 ** 2,
  MICROSOFT_BIG_SSLV3_BUFFER: 0,
  MICROSOFT_SESS_ID_BUG: 0,
  MSIE_SSLV2_RSA_PADDING: 0,
  'CVE-2005-2969': 0,
  NETSCAPE_CHALLENGE_BUG: 0,
  NETSCAPE_REUSE_CIPHER_CHANGE_BUG: 0,
  'CVE-2010-4180': 0,
  SSLEAY_080_CLIENT_DH_BUG: 0,
  SSLREF2_REUSE_CERT_TYPE_BUG: 0,
  TLS_BLOCK_PADDING_BUG: 0,
  TLS_D5_BUG: 0,
  TLS_ROLLBACK_BUG: 2 ** 23,
  TLSEXT_PADDING: 2 ** 4,
}

export const NO_TICKET = 2 ** 14
/** tls_preempt_cipherlist */
export const CIPHER_SERVER_PREFERENCE = 2 ** 22

/** Logs a warning for each name that is unknown, which has no effect. Bits beyond 2^31 are possible in hexadecimal. */
export function secureOptions(sslOptions: string, disabledWorkarounds: string): number {
  const disabled = bitsOf(disabledWorkarounds, WORKAROUNDS, 'tls_disable_workarounds')
  const enabled = bitsOf(sslOptions, FEATURES, 'tls_ssl_options')
  return Number((BigInt(constants.SSL_OP_ALL >>> 0) & ~disabled) | enabled)
}

function bitsOf(text: string, names: Readonly<Record<string, number>>, parameter: string): bigint {
  let bits = 0n
  for (const word of text.split(/[\s,]+/).filter((item) => item !== '')) {
    const bit = HEXADECIMAL.test(word) ? BigInt(word) : names[word.toUpperCase()]
    if (bit === undefined) log.warning(`unknown ${parameter} value "${word}" in "${text}"`)
    else bits |= BigInt(bit)
  }
  return bits
}

/** At most what a number of JavaScript holds; OpenSSL has 36 options. */
const HEXADECIMAL = /^0x[0-9a-f]{1,13}$/i
