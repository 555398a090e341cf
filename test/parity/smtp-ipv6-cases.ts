/**
 * smtp-ipv6-cases - servers that have an IPv6 address, in plaintext and under TLS, for smtp-tls.test
 *
 * There is one address, ::1: each scenario has a port of its own.
 */
import type { PeerOptions } from '@posthorn/testing/scripted-peer'
import { tlsaData } from '@posthorn/testing/test-certificates'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import type { Scenario } from './smtp-scenario.ts'

let lastPort = 40

function six(
  nexthop: string,
  settings: Record<string, string>,
  server: PeerOptions = {},
  more: Partial<Scenario> = {},
): Scenario {
  const port = ++lastPort
  const { servers, names, ...rest } = more
  return {
    servers: {
      '::1': { address: '::1', port, extensions: ['PIPELINING'], tls: {}, ...server },
      ...servers,
    },
    names: { $d: { MX: [[10, 'mx.$d']] }, 'mx.$d': { AAAA: ['::1'] }, ...names },
    settings: { smtp_tls_loglevel: '1', smtp_tls_CAfile: '$dir/root.pem', ...settings },
    nexthop: `${nexthop}:${port}`,
    ...rest,
  }
}

const level = (smtp_tls_security_level: string): Record<string, string> => ({
  smtp_tls_security_level,
})
const named: PeerOptions = { tls: { certificate: { names: ['mx.$d'] } } }
const verify = { ...level('verify'), smtp_tls_verify_cert_match: 'hostname' }
const { success, connectionLoad, connectionStore } = DELIVERY_FLAGS

export const ipv6: Record<string, Scenario> = {
  'a literal': six('[ipv6:::1]', level('none')),
  'a literal, encrypt': six('[ipv6:::1]', level('encrypt')),
  'a literal, verify: an address is no name': six('[ipv6:::1]', verify, named),
  'a host, encrypt': six('[mx.$d]', level('encrypt')),
  'by MX, verify': six('$d', verify, named),
  'by MX, verify, another name': six('$d', verify),
  'by MX, may, in vain': six('$d', level('may'), { replies: { handshake: { close: true } } }),
  'by MX, a TLS connection that is reused': six(
    '$d',
    { ...verify, smtp_tls_connection_reuse: 'yes' },
    named,
    {
      times: 3,
      isSingle: true,
      request: { flags: success | connectionLoad | connectionStore },
    },
  ),
  'LMTP, a literal, encrypt': six(
    'inet:[ipv6:::1]',
    { lmtp_tls_security_level: 'encrypt', lmtp_tls_loglevel: '1' },
    { isLmtp: true },
    { program: 'lmtp' },
  ),
}

// the port is part of the name of TLSA records
const daneScenario = six(
  '$d',
  { ...level('dane-only'), smtp_dns_support_level: 'dnssec' },
  { tls: { certificate: { names: ['other.test'] } } },
)
ipv6['by MX, DANE'] = {
  ...daneScenario,
  names: {
    ...daneScenario.names,
    [`_${lastPort}._tcp.mx.$d`]: { TLSA: [[3, 1, 1, tlsaData({}, 1, 1)]] },
  },
}

// IPv6 is no good, IPv4 is
const both = six(
  '$d',
  { ...level('encrypt'), smtp_address_preference: 'ipv6' },
  { replies: { handshake: { close: true } } },
)
ipv6['by MX, IPv6 in vain, then IPv4'] = {
  ...both,
  names: { ...both.names, 'mx.$d': { A: ['$1'], AAAA: ['::1'] } },
  servers: { ...both.servers, $1: { extensions: ['PIPELINING'], tls: {}, port: lastPort } },
}
