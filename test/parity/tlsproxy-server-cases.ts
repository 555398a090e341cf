/**
 * tlsproxy-server-cases - settings of tlsproxy(8) as a server, and the clients that come to it one after the other
 *
 * `@name` in a setting is the path of a file: see FILES.
 */
import type { ConnectionOptions } from 'node:tls'
import {
  issueCertificate,
  rootPem,
  type CertificateRequest,
} from '@posthorn/testing/test-certificates'

export interface ServerClient {
  readonly tls?: ConnectionOptions
  readonly certificate?: CertificateRequest
  /** With the session that the client before it got. */
  readonly resumes?: boolean
  /** Instead of TLS: these octets, in hexadecimal, and the end; 'silent': nothing, and no end. */
  readonly raw?: string
  /** TLSPROXY_FLAGS; default: server role, with the context. */
  readonly flags?: number
}

export interface ServerScenario {
  readonly settings: Readonly<Record<string, string>>
  readonly clients: readonly ServerClient[]
}

const identity = (request: CertificateRequest): string => {
  const { key, cert } = issueCertificate(request)
  return key + cert
}

export const FILES: Readonly<Record<string, () => string>> = {
  ca: rootPem,
  /** Whom the server's own certificate wants to be sent with it. */
  authorities: () =>
    issueCertificate().cert.replace(/^.*?-----END CERTIFICATE-----\n/s, '') + rootPem(),
  ec: () => identity({ names: ['mx.test'] }),
  leaf: () => identity({ names: ['mx.test'], sends: 'nothing more' }),
  rsa: () => identity({ names: ['mx.test'], key: 'rsa' }),
  rsacert: () => issueCertificate({ names: ['mx.test'], key: 'rsa' }).cert,
  rsakey: () => issueCertificate({ names: ['mx.test'], key: 'rsa' }).key,
  sni: () => identity({ names: ['sni.test'] }),
  snirsa: () => identity({ names: ['sni.test'], key: 'rsa' }),
  garbage: () => 'hello\n',
  // RFC 7919 A.2, as openssl(1) writes it
  dh: () => DH_3072,
}

const DH_3072 = `-----BEGIN DH PARAMETERS-----
MIIBiAKCAYEA//////////+t+FRYortKmq/cViAnPTzx2LnFg84tNpWp4TZBFGQz
+8yTnc4kmz75fS/jY2MMddj2gbICrsRhetPfHtXV/WVhJDP1H18GbtCFY2VVPe0a
87VXE15/V8k1mE8McODmi3fipona8+/och3xWKE2rec1MKzKT0g6eXq8CrGCsyT7
YdEIqUuyyOP7uWrat2DX9GgdT0Kj3jlN9K5W7edjcrsZCwenyO4KbXCeAvzhzffi
7MA0BM0oNC9hkXL+nOmFg/+OTxIy7vKBg8P+OxtMb61zO7X8vC7CIAXFjvGDfRaD
ssbzSibBsu/6iGtCOGEfz9zeNVs7ZRkDW7w09N75nAI4YbRvydbmyQd62R0mkff3
7lmMsPrBhtkcrv4TCYUTknC0EwyTvEN5RPT9RFLi103TZPLiHnH1S/9croKrnJ32
nuhtK8UiNjoNq8Uhl5sN6todv5pC1cRITgq80Gv6U93vPBsg7j/VnXwl5B0rZsYu
N///////////AgEC
-----END DH PARAMETERS-----
`

const OLD = { maxVersion: 'TLSv1.2' } as const
const OLDEST = { minVersion: 'TLSv1', maxVersion: 'TLSv1', ciphers: 'ALL:@SECLEVEL=0' } as const
const named = (changes: CertificateRequest = {}): ServerClient => ({
  certificate: { names: ['client.test'], usage: 'client', ...changes },
})
const REQUIRED = { tlsproxy_tls_req_ccert: 'yes', tlsproxy_tls_security_level: 'encrypt' }
const ALL_CERTIFICATES: readonly ServerClient[] = [
  named(),
  {},
  named({ issuer: 'other' }),
  named({ issuer: 'self' }),
  named({ validity: 'expired' }),
  named({ validity: 'future' }),
  named({ usage: 'server' }),
  named({ sends: 'nothing more' }),
  named({ sends: 'root too' }),
  named({ key: 'rsa' }),
  { ...named(), tls: OLD },
  { ...named({ issuer: 'other' }), tls: OLD },
]
const SNI =
  'inline:{ { sni.test = @sni, @snirsa }, { .par.test = @sni } }, inline:{ { second.test = @snirsa } }'
const asking = (servername: string): ServerClient => ({ tls: { servername } })

export const SERVER_SCENARIOS: Readonly<Record<string, ServerScenario>> = {
  handshakes: {
    settings: { tlsproxy_tls_chain_files: '@ec, @rsa', tls_server_sni_maps: SNI },
    clients: [
      {},
      { flags: 1 },
      { tls: OLD },
      { tls: OLDEST },
      { tls: { sigalgs: 'RSA-PSS+SHA384' } },
      { tls: { sigalgs: 'RSA-PSS+SHA512:ECDSA+SHA256' } },
      { tls: { ecdhCurve: 'secp384r1' } },
      { tls: { ecdhCurve: 'secp256k1:secp521r1' } },
      { tls: { ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384' } },
      { tls: { ...OLD, ciphers: 'ECDHE-RSA-AES128-GCM-SHA256:ECDHE-RSA-AES256-GCM-SHA384' } },
      { tls: { ...OLD, ciphers: 'DHE-RSA-AES128-GCM-SHA256' } },
      { tls: { ...OLD, ciphers: 'aNULL:@SECLEVEL=0' } },
      { tls: { ...OLD, ciphers: 'eNULL:@SECLEVEL=0' } },
      { raw: Buffer.from('EHLO there\r\n').toString('hex') },
      { raw: '' },
      { raw: '1603010005' },
      { raw: '160301000501000001030303' },
      { raw: '15030100020228' },
      { raw: 'silent' },
      { flags: 3 },
      { flags: 0 },
    ],
  },
  names: {
    settings: { tls_server_sni_maps: SNI },
    clients: [
      {},
      ...['sni.test', 'SNI.Test', 'other.test', 'a.b.par.test', 'par.test', 'second.test'].map(
        asking,
      ),
      ...['bad_name!', 'under_score.test', 'a..b', 'x.test.', '-x.test'].map(asking),
      { tls: { servername: 'sni.test', sigalgs: 'RSA-PSS+SHA256' } },
      { tls: { servername: 'sni.test', ...OLD } },
    ],
  },
  nonames: { settings: { tls_server_sni_maps: 'fail:1' }, clients: [asking('sni.test'), {}] },
  badnames: {
    settings: { tls_server_sni_maps: 'inline:{ { sni.test = @garbage } }' },
    clients: [asking('sni.test'), {}],
  },
  asked: {
    settings: {
      tlsproxy_tls_ask_ccert: 'yes',
      tlsproxy_tls_loglevel: 'summary, untrusted, peercert',
    },
    clients: ALL_CERTIFICATES,
  },
  required: {
    settings: {
      ...REQUIRED,
      tlsproxy_tls_exclude_ciphers: 'AES256',
      tlsproxy_tls_mandatory_ciphers: 'high',
    },
    clients: [...ALL_CERTIFICATES, { resumes: true }, { tls: OLD, resumes: true }],
  },
  depth: {
    settings: {
      ...REQUIRED,
      tlsproxy_tls_ccert_verifydepth: '-1',
      tlsproxy_tls_mandatory_protocols: '<=TLSv1.2',
    },
    clients: [named(), named({ issuer: 'root' }), { resumes: true }],
  },
  verbose: {
    settings: { ...REQUIRED, tlsproxy_tls_loglevel: '2', tlsproxy_tls_fingerprint_digest: 'md5' },
    clients: [named(), {}, named({ issuer: 'self' })],
  },
  tickets: {
    settings: {},
    clients: [{}, { resumes: true }, { tls: OLD }, { tls: OLD, resumes: true }],
  },
  ids: {
    settings: { tls_ssl_options: 'NO_TICKET', tlsproxy_tls_loglevel: 'cache' },
    clients: [{ tls: OLD }, { tls: OLD, resumes: true }, {}, { resumes: true }],
  },
  noticketcipher: {
    settings: { tls_session_ticket_cipher: 'aes-256-gcm' },
    clients: [{}, { resumes: true }],
  },
  preempt: {
    settings: { tls_preempt_cipherlist: 'yes', tlsproxy_tls_exclude_ciphers: 'CHACHA20' },
    clients: [
      { tls: { ...OLD, ciphers: 'ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384' } },
      { tls: { ciphers: 'TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384' } },
      { tls: { ...OLD, ciphers: 'ECDHE-ECDSA-CHACHA20-POLY1305' } },
    ],
  },
  parameters: {
    settings: {
      tlsproxy_tls_chain_files: '',
      tlsproxy_tls_cert_file: '@rsacert',
      tlsproxy_tls_key_file: '@rsakey',
      tlsproxy_tls_dh1024_param_file: '@dh',
      tlsproxy_tls_eecdh_grade: 'ultra',
    },
    clients: [{}, { tls: { ...OLD, ciphers: 'DHE-RSA-AES128-GCM-SHA256' } }],
  },
  badparameters: {
    settings: { tlsproxy_tls_chain_files: '@rsa', tlsproxy_tls_dh1024_param_file: '@garbage' },
    clients: [{ tls: { ...OLD, ciphers: 'DHE-RSA-AES128-GCM-SHA256' } }],
  },
  completed: {
    settings: {
      tlsproxy_tls_chain_files: '@leaf',
      tlsproxy_tls_CAfile: '@authorities',
      tls_fast_shutdown_enable: 'no',
    },
    clients: [{}],
  },
  anonymous: {
    settings: { tlsproxy_tls_chain_files: '', tlsproxy_tls_cert_file: 'none' },
    clients: [{ tls: { ...OLD, ciphers: 'aNULL:@SECLEVEL=0' } }],
  },
  nocert: { settings: { tlsproxy_tls_chain_files: '' }, clients: [{}] },
  noneasking: {
    settings: {
      tlsproxy_tls_chain_files: '',
      tlsproxy_tls_cert_file: 'none',
      tlsproxy_tls_ask_ccert: 'yes',
    },
    clients: [{}],
  },
  noauthorities: { settings: { tlsproxy_tls_CAfile: '/nonexistent' }, clients: [{}] },
  protocols: {
    settings: { tlsproxy_tls_protocols: '>=TLSv1.3', tlsproxy_tls_req_ccert: 'yes' },
    clients: [{ tls: OLD }, {}],
  },
  badciphers: {
    settings: { tlsproxy_tls_ciphers: 'bogus', tlsproxy_tls_loglevel: 'bogus' },
    clients: [{}],
  },
  verifylevel: { settings: { tlsproxy_tls_security_level: 'verify' }, clients: [{}] },
  fingerprintlevel: { settings: { tlsproxy_tls_security_level: 'Fingerprint' }, clients: [{}] },
  nociphers: { settings: { tls_medium_cipherlist: 'NOSUCHCIPHER' }, clients: [{}] },
}
