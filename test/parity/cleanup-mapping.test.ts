/**
 * cleanup-mapping - canonical and masqueraded addresses: the same in the queue file
 *
 * Needs root and Postfix 3.7.
 */
import t from 'tap'
import { CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import {
  MAIL,
  SUBMISSION,
  compareCases,
  inlineTable as table,
  type CleanupCase,
} from './cleanup-cases.ts'

const text =
  'From: ann@host.example.test\nSender: bob\nTo: carl@host.example.test, dora\nMessage-Id: <1>\n\nbody'
const people = { sender: 'ann@host.example.test', recipients: ['carl@host.example.test', 'dora'] }

const canonical = table({
  'ann@host.example.test': 'Ann.Smith@example.test',
  'bob@example.test': 'bob@new.test',
  bob: 'never',
  carl: 'carl@other.test',
  'dora@example.test': 'dora@host',
  'dora@host': 'dora@end.test',
  '@whole.test': '@other.test',
  '@host.example.test': 'all@one.test',
  'eve+x@example.test': 'exact@x.test',
  'eve@example.test': 'eve@y.test',
  'two@example.test': 'one@a.test, two@b.test',
  'same@example.test': 'Same@example.test',
  'loop1@example.test': 'loop2@example.test',
  'loop2@example.test': 'loop1@example.test',
  'local@example.test': 'nodomain',
})
const many = [
  ...[
    'bob',
    'carl@example.test',
    'x@whole.test',
    'y@host.example.test',
    'eve+x',
    'eve+z@example.test',
  ],
  ...[
    'two',
    '"quoted user"@example.test',
    'quoted user@example.test',
    'same',
    'local',
    'CARL',
    'Eve+Q',
  ],
]

const canonicalCases: CleanupCase[] = [
  { name: 'canonical_maps', main: { canonical_maps: canonical }, ...people, text },
  { name: 'canonical_maps, many', main: { canonical_maps: canonical }, recipients: many, text },
  {
    name: 'canonical_maps in headers',
    main: { canonical_maps: canonical },
    text: `To: ${many.filter((one) => !one.includes(' ')).join(', ')}, "quoted user"@example.test\nMessage-Id: <1>\n\nbody`,
  },
  { name: 'canonical loop', main: { canonical_maps: canonical }, recipients: ['loop1'], text },
  { name: 'sender_canonical_maps', main: { sender_canonical_maps: canonical }, ...people, text },
  {
    name: 'recipient_canonical_maps',
    main: { recipient_canonical_maps: canonical },
    ...people,
    text,
  },
  {
    name: 'sender_canonical_maps first',
    main: {
      sender_canonical_maps: table({ '@host.example.test': '@mid.test' }),
      canonical_maps: table({ '@mid.test': '@end.test', '@host.example.test': '@wrong.test' }),
    },
    ...people,
    text,
  },
  ...['envelope_sender', 'envelope_recipient', 'header_sender', 'header_recipient'].map((name) => ({
    name: `canonical_classes ${name}`,
    main: { canonical_maps: canonical, canonical_classes: name },
    ...people,
    text,
  })),
  {
    name: 'sender_canonical_classes',
    main: { sender_canonical_maps: canonical, sender_canonical_classes: 'header_sender' },
    ...people,
    text,
  },
  {
    name: 'recipient_canonical_classes',
    main: {
      recipient_canonical_maps: canonical,
      recipient_canonical_classes: 'envelope_recipient',
    },
    ...people,
    text,
  },
  {
    name: 'no extension propagated',
    main: { canonical_maps: canonical, propagate_unmatched_extensions: 'virtual' },
    recipients: many,
    text,
  },
  {
    name: 'no delimiter',
    main: { canonical_maps: canonical, recipient_delimiter: '' },
    recipients: many,
    text,
  },
  {
    name: 'two delimiters',
    main: { canonical_maps: canonical, recipient_delimiter: '-+' },
    recipients: [...many, 'eve-x+y'],
    text,
  },
  {
    name: 'null sender',
    main: { canonical_maps: table({ '@': 'x@y.test', 'example.test': 'z' }) },
    sender: '',
    text,
  },
  {
    name: 'remote client: envelope only',
    main: { canonical_maps: canonical },
    before: ['Arewrite_context=remote'],
    ...people,
    text,
  },
  {
    name: 'remote client with a domain',
    main: {
      canonical_maps: canonical,
      remote_header_rewrite_domain: 'far.invalid',
      local_header_rewrite_clients: '',
    },
    before: ['Arewrite_context=remote'],
    ...people,
    text,
  },
  {
    name: 'no mapping without the flag',
    main: {
      canonical_maps: canonical,
      virtual_alias_maps: canonical,
      masquerade_domains: 'example.test',
    },
    flags: MAIL & ~CLEANUP_FLAGS.map,
    ...people,
    text,
  },
  { name: 'canonical_maps fail', main: { canonical_maps: 'fail:it' }, ...people, text },
  {
    name: 'quoted keys',
    main: { canonical_maps: 'regexp:{{/^"quoted user"@/ "a b"@c.test}}' },
    recipients: many,
    text: 'To: "quoted user"@example.test\nMessage-Id: <1>\n\nbody',
  },
  {
    name: 'keys without their quotes',
    main: {
      canonical_maps: 'regexp:{{/^quoted user@/ x@c.test}}',
      virtual_alias_maps: 'regexp:{{/^quoted user@/ x@c.test}}',
      recipient_bcc_maps: 'regexp:{{/^quoted user@/ x@c.test}}',
    },
    recipients: many,
    text,
  },
  {
    name: 'results with names',
    main: {
      canonical_maps: table({
        'carl@host.example.test': 'Carl Long <carl@long.test>',
        'dora@example.test': 'dora@d.test (Dora)',
      }),
    },
    ...people,
    text,
  },
  {
    name: 'SMTPUTF8 keys',
    main: { canonical_maps: table({ 'j\u00f6rg@example.test': 'joerg@example.test' }) },
    recipients: ['j\xc3\xb6rg', 'J\xc3\x96RG'],
    flags: SUBMISSION,
    text,
  },
]

const hosts = [
  ...[
    'a@host.example.test',
    'b@deep.host.example.test',
    'c@example.test',
    'root@host.example.test',
  ],
  ...[
    'd@notexample.test',
    'e@keep.example.test',
    'f@x.keep.example.test',
    'g@HOST.Example.TEST',
    'h',
    'Root@host.example.test',
  ],
]
const masqueradeText = `From: ${hosts.join(', ')}\nTo: ${hosts.join(', ')}\nMessage-Id: <1>\n\nbody`
const masqueradeCases: CleanupCase[] = [
  ...[
    'example.test',
    '!keep.example.test example.test',
    'example.test !keep.example.test',
    'host.example.test, example.test',
    'EXAMPLE.test',
    '.example.test',
  ].map((domains) => ({
    name: `masquerade_domains ${domains}`,
    main: { masquerade_domains: domains },
    sender: 'x@y.host.example.test',
    recipients: hosts,
    text: masqueradeText,
  })),
  {
    name: 'masquerade_classes',
    main: {
      masquerade_domains: 'example.test',
      masquerade_classes: 'envelope_recipient, header_recipient',
    },
    sender: 'x@y.host.example.test',
    recipients: hosts,
    text: masqueradeText,
  },
  {
    name: 'masquerade_exceptions',
    main: { masquerade_domains: 'example.test', masquerade_exceptions: 'root, a' },
    sender: 'root@host.example.test',
    recipients: hosts,
    text: masqueradeText,
  },
  {
    name: 'masquerade after canonical',
    main: {
      masquerade_domains: 'example.test',
      canonical_maps: table({ 'a@y.test': 'b@host.example.test' }),
    },
    sender: 'a@y.test',
    text: 'From: a@y.test\nMessage-Id: <1>\n\nbody',
  },
]

t.setTimeout(120_000)
t.test('canonical addresses', async (t) => compareCases(t, canonicalCases))
t.test('masqueraded addresses', async (t) => compareCases(t, masqueradeCases))
