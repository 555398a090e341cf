/**
 * settings - the groups of the tlsproxy protocol with the defaults of main.cf
 */
import {
  TLS_LEVELS,
  type TlsClientInit,
  type TlsClientParams,
  type TlsClientStart,
} from '@posthorn/wire/tlsproxy-protocol'

export const PEER = 'mx.good.test[127.0.0.1]:25'

export function clientParams(changes: Partial<TlsClientParams> = {}): TlsClientParams {
  return {
    configFile: 'default',
    configName: '',
    highCipherList: 'aNULL:-aNULL:HIGH:@STRENGTH',
    mediumCipherList: 'aNULL:-aNULL:HIGH:MEDIUM:+RC4:@STRENGTH',
    lowCipherList: 'aNULL:-aNULL:HIGH:MEDIUM:LOW:+RC4:@STRENGTH',
    exportCipherList: 'aNULL:-aNULL:HIGH:MEDIUM:LOW:EXPORT:+RC4:@STRENGTH',
    nullCipherList: 'eNULL:!aNULL',
    autoCurves: 'X25519 X448 prime256v1 secp521r1 secp384r1',
    strongCurve: 'prime256v1',
    ultraCurve: 'secp384r1',
    disabledWorkarounds: '',
    sslOptions: '',
    daneDigests: 'sha512 sha256',
    tlsmgrService: 'tlsmgr',
    ticketCipher: 'aes-256-cbc',
    randomBytes: 32,
    appendsDefaultCa: 0,
    hasLegacyKeyFingerprints: 0,
    preemptsCipherList: 0,
    wildcardMatchesManyLabels: 1,
    ...changes,
  }
}

export function clientInit(changes: Partial<TlsClientInit> = {}): TlsClientInit {
  return {
    logParameter: 'smtp_tls_loglevel',
    logLevel: '1',
    verifyDepth: 9,
    cacheType: 'smtp',
    chainFiles: '',
    certFile: '',
    keyFile: '',
    dsaCertFile: '',
    dsaKeyFile: '',
    ecCertFile: '',
    ecKeyFile: '',
    caFile: '',
    caPath: '',
    digest: 'sha256',
    ...changes,
  }
}

export function clientStart(changes: Partial<TlsClientStart> = {}): TlsClientStart {
  return {
    timeoutSeconds: 10,
    level: TLS_LEVELS.may,
    nexthop: 'good.test',
    host: 'mx.good.test',
    peer: PEER,
    sni: '',
    serverId: 'smtp&good.test&mx.good.test&127.0.0.1&',
    helo: 'client.test',
    protocols: '>=TLSv1',
    cipherGrade: 'medium',
    cipherExclusions: '',
    matches: [],
    digest: 'sha256',
    anchors: undefined,
    ...changes,
  }
}
