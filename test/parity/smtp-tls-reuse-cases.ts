/**
 * smtp-tls-reuse-cases - TLS connections that are kept: by tlsproxy(8) and scache(8), or not at all; for smtp-tls.test
 *
 * Each scenario is several deliveries, by a smtp(8) that serves one at a time: ours then keeps nothing itself.
 */
import type { PeerOptions } from '@posthorn/testing/scripted-peer'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import type { Scenario } from './smtp-scenario.ts'
import { libraryProblem } from './smtp-tls-cases.ts'

const { success, connectionLoad, connectionStore } = DELIVERY_FLAGS

function kept(
  settings: Record<string, string>,
  server: PeerOptions = {},
  more: Partial<Scenario> = {},
): Scenario {
  return {
    servers: { $1: { extensions: ['PIPELINING'], tls: {}, ...server } },
    settings: { smtp_tls_loglevel: '1', ...settings },
    nexthop: '[$1]',
    times: 3,
    isSingle: true,
    request: { flags: success | connectionLoad | connectionStore },
    allow: libraryProblem,
    ...more,
  }
}

const reuse = { smtp_tls_connection_reuse: 'yes' }
const named: PeerOptions = { tls: { certificate: { names: ['mx.test'] } } }
const secure = {
  smtp_tls_security_level: 'secure',
  smtp_tls_secure_cert_match: 'mx.test',
  smtp_tls_CAfile: '$dir/root.pem',
}

export const tlsReuse: Record<string, Scenario> = {
  'encrypt, reuse': kept({ smtp_tls_security_level: 'encrypt', ...reuse }),
  'may, reuse': kept({ smtp_tls_security_level: 'may', ...reuse }),
  'secure, reuse': kept({ ...secure, ...reuse }, named),
  'secure, reuse, another name': kept({ ...secure, ...reuse }, {}, { times: 1 }),
  'secure, reuse, another next-hop': kept({ ...secure, ...reuse }, named, {
    nexthops: ['[$1]', '$1', '[$1]'],
    nexthop: '',
  }),
  'by policy': kept({
    smtp_tls_policy_maps: 'static:{encrypt connection_reuse=yes}',
  }),
  'not by policy': kept({
    smtp_tls_policy_maps: 'static:{encrypt connection_reuse=no}',
    ...reuse,
  }),
  'handshake fails': kept(
    { smtp_tls_security_level: 'encrypt', ...reuse },
    { replies: { handshake: { close: true } } },
    { times: 1 },
  ),
  'not offered': kept(
    { smtp_tls_security_level: 'may', ...reuse },
    {},
    { servers: { $1: { extensions: ['PIPELINING'] } } },
  ),
  refused: kept(
    { smtp_tls_security_level: 'may', ...reuse },
    { replies: { STARTTLS: '454 4.7.0 no' } },
  ),
  'no tlsproxy': kept(
    { smtp_tls_security_level: 'encrypt', ...reuse, tlsproxy_service_name: 'nobody' },
    {},
    { times: 1 },
  ),
  'wrapper, reuse': kept(
    { smtp_tls_security_level: 'encrypt', smtp_tls_wrappermode: 'yes', ...reuse },
    { tls: { isWrapper: true } },
  ),
  'encrypt, no': kept({ smtp_tls_security_level: 'encrypt', smtp_tls_connection_reuse: 'no' }),
  'encrypt, by default': kept({ smtp_tls_security_level: 'encrypt' }),
}
