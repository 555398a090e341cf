/**
 * rewrite-resolve - trivial-rewrite(8) of both systems sends mail for an address the same way
 *
 * Needs root and Postfix 3.7.
 */
import t from 'tap'
import { compareAnswers, type Questions } from './rewrite-questions.ts'

const INTERNAL = [
  ...[
    'user',
    'user@',
    '@',
    '@example.test',
    '@far.test',
    '',
    'user@example.test',
    'USER@EXAMPLE.test',
    'user@example.test.',
    'user@example.test..',
  ],
  ...[
    'user@localhost',
    'user@far.test',
    'user@FAR.test.',
    'user@a.far.test',
    'user@host',
    'user@.far.test',
    'user@far..test',
    'user@-far.test',
    'user@fa_r.test',
  ],
  ...[
    'user@127.0.0.1',
    'user@[127.0.0.1]',
    'user@[127.0.0.2]',
    'user@[10.1.2.3]',
    'user@10.1.2.3',
    'user@1.2.3',
    'user@[IPv6:::1]',
    'user@[ipv6:2001:db8::1]',
    'user@[::1]',
    'user@[x]',
    'user@[',
    'user@[]',
  ],
  ...[
    'a%far.test@example.test',
    'a%b%far.test@example.test',
    'a%far.test',
    'a%b',
    'far.test!a',
    'far.test!a@example.test',
    'x!y!z@example.test',
    'a@far.test@example.test',
    'a@far.test@other.test',
    'a%far.test@other.test',
    'x!a@other.test',
  ],
  ...[
    '@far.test:a@example.test',
    '@example.test:a@far.test',
    '@a:c@example.test',
    'a b@example.test',
    'a b@far.test',
    'a%b c@example.test',
    'a"b@far.test',
    'a@b%c d@example.test',
    'a@far.test b@example.test',
    'a\\b@far.test',
  ],
  ...[
    '-user@far.test',
    '-user@example.test',
    '-user',
    'user+ext@example.test',
    'user+ext@far.test',
    'double-bounce@example.test',
    'postmaster',
    'MAILER-DAEMON@example.test',
  ],
  ...[
    'j\xc3\xb6rg@far.test',
    'x@b\xc3\xbccher.test',
    'x@xn--bcher-kva.test',
    'x@\xe9.test',
    `x@${'l'.repeat(64)}.test`,
    `x@${'l.'.repeat(140)}test`,
    'x@far test',
    'x@far.test ',
    ' x@far.test',
    'x@far:25',
  ],
  ...[
    'alias@valias.test',
    'box@vmail.test',
    'user@relay.test',
    'user@sub.relay.test',
    'user@sub.vmail.test',
    'user@sub.valias.test',
    'user@both.test',
    'a%relay.test@example.test',
    'a%vmail.test@example.test',
  ],
]

const sites = {
  virtual_alias_domains: 'valias.test, both.test',
  virtual_mailbox_domains: 'vmail.test',
  relay_domains: 'relay.test, both.test',
}
const transports =
  'inline:{far.test=smtp:[hub.test]:26, .far.test=:[sub.test], user@relay.test=lmtp:, {relay.test=error:no mail here}, vmail.test=error:, ' +
  'user+ext@example.test=x:ext, user@example.test=x:plain, [10.1.2.3]=slow:, other.test=, bare.test=smtp, retry.test=retry:, blank.test=:}'
const more = [
  'x@bare.test',
  'x@retry.test',
  'x@blank.test',
  'user+other@example.test',
  'user@relay.test',
  'x@b.far.test',
  'x@other.test',
  'deep@a.b.far.test',
]

const resolving: Questions[] = [
  {},
  sites,
  { ...sites, append_dot_mydomain: 'yes' },
  { ...sites, resolve_dequoted_address: 'no' },
  { ...sites, resolve_null_domain: 'yes' },
  { ...sites, resolve_numeric_domain: 'yes' },
  { ...sites, allow_min_user: 'yes' },
  { ...sites, swap_bangpath: 'no', allow_percent_hack: 'no' },
  { ...sites, smtputf8_enable: 'no' },
  { ...sites, relayhost: '[hub.test]:26' },
  {
    ...sites,
    relayhost: 'hub.test',
    relay_transport: 'relay:[in.test]',
    local_transport: 'lmtp:unix:/x',
    virtual_transport: 'lmtp:y',
    default_transport: 'smtp:[out.test]',
  },
  { ...sites, local_transport: 'error:no local mail', default_transport: 'error:5.7.1 none' },
  { ...sites, transport_maps: transports, recipient_delimiter: '+' },
  { ...sites, transport_maps: transports, relayhost: 'hub.test', recipient_delimiter: '+' },
  { ...sites, transport_maps: transports, parent_domain_matches_subdomains: 'transport_maps' },
  { ...sites, transport_maps: 'inline:{*=all:there, example.test=:}', recipient_delimiter: '+' },
  { ...sites, transport_maps: 'regexp:{{/^user@far/ smtp:[re.test]}, {/ / quoted:}}' },
  { ...sites, transport_maps: 'fail:it' },
  {
    ...sites,
    relocated_maps:
      'inline:{user@far.test=new@place.test, {@relay.test=somewhere else}, user=gone}',
    transport_maps: transports,
  },
  { ...sites, relocated_maps: 'fail:it' },
  { ...sites, parent_domain_matches_subdomains: 'relay_domains, mydestination' },
  { ...sites, parent_domain_matches_subdomains: '', relay_domains: '.relay.test' },
  { ...sites, show_user_unknown_table_name: 'no' },
  { ...sites, empty_address_recipient: 'nobody' },
  {
    ...sites,
    mydestination: '.example.test',
    virtual_alias_domains: '.valias.test',
    virtual_mailbox_domains: '.vmail.test',
  },
  { mydestination: '', relay_domains: 'fail:it' },
  { ...sites, proxy_interfaces: '10.1.2.3' },
].map((main) => ({
  main: main,
  questions: [...INTERNAL, ...more].map((address) => `resolve s@x.test ${address}`),
}))

const SENDERS = [
  '<>',
  'ann@x.test',
  'bob@x.test',
  'carl+ext@x.test',
  'dora@y.test',
  'double-bounce@mx.example.test',
  'Eve@z.test',
  'user',
]
const senderMaps = {
  ...sites,
  recipient_delimiter: '+',
  sender_dependent_relayhost_maps:
    'inline:{ann@x.test=[ann.test], carl@x.test=carl.test:27, @y.test=[y.test], <>=[null.test], bob@x.test=DUNNO, Eve@z.test=z, eve@z.test=[eve.test]}',
  sender_dependent_default_transport_maps:
    'inline:{ann@x.test=slow:, carl@x.test=slow:[slow.test], @y.test=:[yt.test], <>=null:, bob@x.test=dunno, eve@z.test=justname}',
}
const senderDependent: Questions[] = [
  { ...senderMaps },
  { ...senderMaps, relayhost: '[hub.test]' },
  { ...senderMaps, default_transport: 'smtp:[fixed.test]' },
  { ...senderMaps, sender_dependent_relayhost_maps: '', relayhost: '[hub.test]' },
  { ...senderMaps, sender_dependent_default_transport_maps: '', relayhost: '[hub.test]' },
  {
    ...senderMaps,
    empty_address_relayhost_maps_lookup_key: 'ann@x.test',
    empty_address_default_transport_maps_lookup_key: '@y.test',
  },
  { ...senderMaps, transport_maps: transports },
  { ...sites, sender_dependent_relayhost_maps: 'fail:it' },
  { ...sites, sender_dependent_default_transport_maps: 'fail:it' },
].map((main) => ({
  main: main,
  questions: SENDERS.flatMap((sender) =>
    [
      'x@far.test',
      'x@relay.test',
      'x@example.test',
      'x@vmail.test',
      'x@other.test',
      'x@[10.1.2.3]',
    ].map((address) => `resolve ${sender} ${address}`),
  ),
}))

const noDestinations: Questions = {
  main: { mydestination: 'fail:it' },
  questions: INTERNAL.filter((address) => /^[a-z]+@(\[[\d.]+\]|[a-z.]*[a-z])$/.test(address)).map(
    (address) => `resolve s@x.test ${address}`,
  ),
}

const probes: Questions[] = [
  { ...sites },
  {
    ...sites,
    relayhost: '[hub.test]',
    transport_maps: transports,
    address_verify_relayhost: '[probe.test]',
    address_verify_transport_maps: 'inline:{far.test=probe:}',
    address_verify_local_transport: 'lmtp:local',
    address_verify_virtual_transport: 'lmtp:virtual',
    address_verify_relay_transport: 'lmtp:relay',
    address_verify_default_transport: 'other',
  },
  {
    ...senderMaps,
    address_verify_relayhost: '',
    address_verify_sender_dependent_relayhost_maps: 'inline:{ann@x.test=[probe.test]}',
    address_verify_sender_dependent_default_transport_maps: 'inline:{ann@x.test=probe:}',
  },
].map((main) => ({
  main: main,
  questions: ['<>', 'ann@x.test', 'double-bounce@mx.example.test'].flatMap((sender) =>
    [
      'x@far.test',
      'x@relay.test',
      'x@example.test',
      'x@vmail.test',
      'x@valias.test',
      'a%far.test@example.test',
      'x@[',
    ].map((address) => `verify ${sender} ${address}`),
  ),
}))

t.setTimeout(120_000)
t.test('resolving', async (t) => compareAnswers(t, [...resolving, noDestinations]))
t.test('routes that depend on the sender', async (t) => compareAnswers(t, senderDependent))
t.test('address probes', async (t) => compareAnswers(t, probes))
