/**
 * tlsproxy-protocol - handing a connection to tlsproxy(8), which speaks TLS on it and plaintext with us
 *
 *     S>C  { protocol }
 *     C>S  { remote_endpoint, flags, timeout, timeout, serverid }
 *     C>S  client role: { TLS_CLIENT_PARAMS, TLS_CLIENT_INIT, TLS_CLIENT_START } in one list
 *     S>C  { status }            1: ready; 0: no TLS engine, the client closes
 *     C>S  the descriptor of the connection
 *     S>C  { TLS_CONTEXT }       when asked for, after the handshake; tlsproxy closes when that fails
 *          then the plaintext of the session, both ways
 *
 * The three groups are what a TLS client is told: by main.cf for all connections, for all connections of one program, and
 * for this one. lib/tls takes them in the same shape, whether the engine runs here or there.
 * Source: Postfix 3.7 tlsproxy(8), smtp(8).
 */
import { argv } from './attr-groups.ts'
import {
  data,
  defineList,
  group,
  int,
  text,
  type Field,
  type ListDefinition,
  type ValueOf,
} from './attr-schema.ts'
import { AttrError } from './wire-error.ts'

export const tlsproxyProtocol = 'tlsproxy_protocol'

export const TLSPROXY_FLAGS = {
  server: 1,
  client: 2,
  sendContext: 4,
  /** Ours: the context is to say what was wrong with the certificate (tls-finding.ts). Postfix's tlsproxy(8) passes it over. */
  sendFinding: 1 << 12,
} as const

/** What is reached, and which side tlsproxy(8) plays. */
export const TlsproxyOpening = defineList({
  /** `[address]:port` */
  remoteEndpoint: text('remote_endpoint'),
  /** TLSPROXY_FLAGS */
  flags: int('flags'),
  handshakeTimeoutSeconds: int('timeout'),
  sessionTimeoutSeconds: int('timeout'),
  /** For session caching and logging: the service that asks. */
  serverId: text('serverid'),
})

export const TlsproxyStatus = defineList({ status: int('status') })

/** Parameters without a prefix: they hold for every TLS client of the system. Names as in main.cf, values as text. */
export const tlsClientParams = group({
  configFile: text('config_file'),
  configName: text('config_name'),
  highCipherList: text('tls_high_cipherlist'),
  mediumCipherList: text('tls_medium_cipherlist'),
  lowCipherList: text('tls_low_cipherlist'),
  exportCipherList: text('tls_export_cipherlist'),
  nullCipherList: text('tls_null_cipherlist'),
  autoCurves: text('tls_eecdh_auto_curves'),
  strongCurve: text('tls_eecdh_strong_curve'),
  ultraCurve: text('tls_eecdh_ultra_curve'),
  disabledWorkarounds: text('tls_disable_workarounds'),
  sslOptions: text('tls_ssl_options'),
  daneDigests: text('tls_dane_digests'),
  tlsmgrService: text('tlsmgr_service_name'),
  ticketCipher: text('tls_session_ticket_cipher'),
  randomBytes: int('tls_daemon_random_bytes'),
  /** 0 or 1, as the three that follow */
  appendsDefaultCa: int('tls_append_default_CA'),
  hasLegacyKeyFingerprints: int('tls_legacy_public_key_fingerprints'),
  preemptsCipherList: int('tls_preempt_cipherlist'),
  wildcardMatchesManyLabels: int('tls_wildcard_matches_multiple_labels'),
})
export type TlsClientParams = ReturnType<typeof tlsClientParams.parse>

/** smtp_tls_x or lmtp_tls_x: they hold for every connection of the program. */
export const tlsClientInit = group({
  /** The name of the parameter that logLevel has the value of. */
  logParameter: text('log_param'),
  logLevel: text('log_level'),
  verifyDepth: int('verifydepth'),
  /** smtp or lmtp */
  cacheType: text('cache_type'),
  chainFiles: text('chain_files'),
  certFile: text('cert_file'),
  keyFile: text('key_file'),
  dsaCertFile: text('dcert_file'),
  dsaKeyFile: text('dkey_file'),
  ecCertFile: text('eccert_file'),
  ecKeyFile: text('eckey_file'),
  caFile: text('CAfile'),
  caPath: text('CApath'),
  /** smtp_tls_fingerprint_digest */
  digest: text('mdalg'),
})
export type TlsClientInit = ReturnType<typeof tlsClientInit.parse>

export const TLS_LEVELS = {
  invalid: -2,
  notFound: -1,
  none: 0,
  may: 1,
  encrypt: 2,
  fingerprint: 3,
  halfDane: 4,
  dane: 5,
  daneOnly: 6,
  verify: 7,
  secure: 8,
} as const

export interface TlsaRecord {
  readonly usage: number
  readonly selector: number
  readonly matchingType: number
  /** Octets. */
  readonly data: string
}

/** What a certificate must match besides, or instead of, names. */
export interface DaneAnchors {
  /** TLSA base domain; empty for fingerprints and trust anchors of the configuration. */
  readonly domain: string
  readonly records: readonly TlsaRecord[]
}

const tlsaFields = group({
  usage: int('usage'),
  selector: int('selector'),
  matchingType: int('mtype'),
  data: data('data'),
})

/** A receiver takes at most this many records. */
const recordLimit = 1024

/** The DANE group; undefined: dane=0. */
export const daneAnchors: Field<DaneAnchors | undefined> = {
  encode: (anchors) =>
    anchors === undefined
      ? int('dane').encode(0)
      : int('dane').encode(1) +
        text('domain').encode(anchors.domain) +
        int('count').encode(anchors.records.length) +
        anchors.records.map((record) => tlsaFields.encode(record)).join(''),
  format: (anchors, into) => {
    int('dane').format(anchors === undefined ? 0 : 1, into)
    if (anchors === undefined) return
    text('domain').format(anchors.domain, into)
    int('count').format(anchors.records.length, into)
    for (const record of anchors.records) tlsaFields.format(record, into)
  },
  parse: (reader) => {
    if (int('dane').parse(reader) === 0) return undefined
    const domain = reader.next('domain')
    const count = int('count').parse(reader)
    if (count < 0 || count > recordLimit) {
      throw new AttrError(`Cannot parse count "${count}": want at most ${recordLimit}`)
    }
    return { domain, records: Array.from({ length: count }, () => tlsaFields.parse(reader)) }
  },
}

/** This connection. */
export const tlsClientStart = group({
  /** Seconds for the handshake. */
  timeoutSeconds: int('timeout'),
  /** TLS_LEVELS */
  level: int('tls_level'),
  nexthop: text('nexthop'),
  host: text('host'),
  /** `HOST[ADDRESS]:PORT`, as in log lines */
  peer: text('namaddr'),
  /** Server name to ask for; empty: none. */
  sni: text('sni'),
  /** Begins the key of the session cache: SERVICE&NEXTHOP&HOST&ADDRESS& */
  serverId: text('serverid'),
  helo: text('helo'),
  /** Protocol list as in smtp_tls_protocols. */
  protocols: text('protocols'),
  cipherGrade: text('cipher_grade'),
  cipherExclusions: text('cipher_exclusions'),
  /** Names that the certificate must have, words like nexthop already replaced; .NAME: sub-domains of it. */
  matches: argv,
  /** For fingerprints. */
  digest: text('mdalg'),
  anchors: daneAnchors,
})
export type TlsClientStart = ReturnType<typeof tlsClientStart.parse>

export const TlsproxyClientRequest = defineList({
  params: tlsClientParams,
  init: tlsClientInit,
  start: tlsClientStart,
})

export const PEER_STATUS = {
  /** The server sent a certificate. */
  certificate: 1,
  /** peer_CN is a name from subjectAltName. */
  alternativeName: 2,
  /** The chain is good. */
  trusted: 4,
  /** And so is the name, the fingerprint or the TLSA record that was asked for. */
  matched: 8,
  /** A match was asked for and obtained, at a level that counts as secure. */
  secured: 16,
} as const

const contextFields = {
  peerName: text('peer_CN'),
  issuerName: text('issuer_CN'),
  fingerprint: text('peer_fingerprint'),
  keyFingerprint: text('peer_pubkey_fingerprint'),
  /** TLS_LEVELS */
  level: int('level'),
  /** PEER_STATUS */
  peerStatus: int('peer_status'),
  protocol: text('cipher_protocol'),
  cipher: text('cipher_name'),
  cipherUsedBits: int('cipher_usebits'),
  cipherBits: int('cipher_algbits'),
  keyExchange: text('key_exchange'),
  keyExchangeCurve: text('key_exchange_curve'),
  keyExchangeBits: int('key_exchange_bits'),
  clientSignature: text('clnt_signature'),
  clientSignatureCurve: text('clnt_signature_curve'),
  clientSignatureBits: int('clnt_signature_bits'),
  clientSignatureDigest: text('clnt_signature_digest'),
  serverSignature: text('srvr_signature'),
  serverSignatureCurve: text('srvr_signature_curve'),
  serverSignatureBits: int('srvr_signature_bits'),
  serverSignatureDigest: text('srvr_signature_digest'),
  /** `HOST[ADDRESS]:PORT` */
  peer: text('namaddr'),
}

/** What a handshake came to: for the log, and for what comes after it. Absent strings are empty, absent numbers 0. */
export type TlsContext = ValueOf<typeof contextFields>

export const TlsContextList: ListDefinition<TlsContext> = defineList(contextFields)
