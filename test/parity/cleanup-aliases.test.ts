/**
 * cleanup-aliases - virtual aliases and automatic copies: the same recipients in the queue file
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

const people = { sender: 'ann@host.example.test', recipients: ['carl@host.example.test', 'dora'] }

const chain = (count: number): Record<string, string> =>
  Object.fromEntries(
    Array.from({ length: count }, (_, at) => [`n${at}@example.test`, `n${at + 1}@example.test`]),
  )
const aliases = table({
  'one@example.test': 'x@y.test',
  'group@example.test': 'a@b.test, c@d.test, one',
  'outer@example.test': 'group, e@f.test, group',
  'self@example.test': 'self@example.test, copy@y.test',
  'case@example.test': 'CASE@example.test',
  'deep@example.test': 'outer, self',
  '@virtual.test': '@other.test',
  'user@virtual.test': 'user+ext@z.test',
  '@catch.test': 'all@catch.test',
  local: 'local-user',
  'ext+one@example.test': 'one@ext.test',
  'ext@example.test': 'base@ext.test',
  'twice@example.test': 'one, x@y.test',
  'loopa@example.test': 'loopb@example.test',
  'loopb@example.test': 'loopa@example.test',
  'quote@example.test': '"a b"@c.test, "a,b"@c.test',
  'empty@example.test': '<>',
  'named@example.test': 'Some One <some@one.test>',
})
const virtualNames = [
  ...[
    'one',
    'group',
    'outer',
    'self',
    'case',
    'deep',
    'x@virtual.test',
    'user@virtual.test',
    'user+q@virtual.test',
  ],
  ...[
    'y@catch.test',
    'local',
    'ext+one',
    'ext+two',
    'twice',
    'quote',
    'named',
    'nobody',
    'One@EXAMPLE.test',
  ],
]
const each = virtualNames.map((name): CleanupCase => ({
  name: `virtual_alias_maps ${name}`,
  main: { virtual_alias_maps: aliases },
  recipients: [name],
}))
const notify = ['Anotify_flags=2', 'Adsn_orig_rcpt=rfc822;Orig@x.test']

const virtualCases: CleanupCase[] = [
  ...each,
  { name: 'all aliases', main: { virtual_alias_maps: aliases }, recipients: virtualNames },
  {
    name: 'all aliases, original recipient off',
    main: { virtual_alias_maps: aliases, enable_original_recipient: 'no' },
    recipients: virtualNames,
  },
  { name: 'alias loop', main: { virtual_alias_maps: aliases }, recipients: ['loopa'] },
  {
    name: 'alias with an empty result',
    main: { virtual_alias_maps: aliases },
    recipients: ['empty'],
  },
  {
    name: 'no extension propagated',
    main: { virtual_alias_maps: aliases, propagate_unmatched_extensions: 'canonical' },
    recipients: virtualNames,
  },
  {
    name: 'recursion limit reached',
    main: { virtual_alias_maps: table(chain(6)), virtual_alias_recursion_limit: '5' },
    recipients: ['n0'],
  },
  {
    name: 'recursion limit not reached',
    main: { virtual_alias_maps: table(chain(5)), virtual_alias_recursion_limit: '5' },
    recipients: ['n0'],
  },
  {
    name: 'recursion limit nearly reached',
    main: { virtual_alias_maps: table(chain(4)), virtual_alias_recursion_limit: '5' },
    recipients: ['n0'],
  },
  ...['3', '4', '5'].map((limit) => ({
    name: `expansion limit ${limit}`,
    main: {
      virtual_alias_maps: table({ 'g@example.test': 'a@b.test, c@b.test, d@b.test, e@b.test' }),
      virtual_alias_expansion_limit: limit,
    },
    recipients: ['g'],
  })),
  {
    name: 'address length limit',
    main: {
      virtual_alias_maps: table({ 'g@example.test': `${'a'.repeat(50)}@b.test` }),
      virtual_alias_address_length_limit: '40',
    },
    recipients: ['g'],
  },
  {
    name: 'growing address',
    main: {
      virtual_alias_maps: table({ '@example.test': 'x+y@example.test' }),
      virtual_alias_address_length_limit: '100',
    },
    recipients: ['g+z'],
  },
  {
    name: 'limit exceeded, submission',
    flags: SUBMISSION,
    main: { virtual_alias_maps: table(chain(6)), virtual_alias_recursion_limit: '5' },
    recipients: ['n0'],
  },
  { name: 'virtual_alias_maps fail', main: { virtual_alias_maps: 'fail:it' } },
  {
    name: 'DSN of a group',
    main: { virtual_alias_maps: aliases },
    recipients: ['group'],
    behind: [
      ...notify,
      'Rgroup',
      'Anotify_flags=14',
      'Rone',
      'Anotify_flags=1',
      'Router',
      'Anotify_flags=2',
      'Rplain@x.test',
    ],
  },
  {
    name: 'duplicates',
    recipients: ['a@b.test', 'a@b.test', 'A@B.test', 'a@B.test', 'c', 'c@example.test'],
  },
  {
    name: 'duplicates, original recipient off',
    main: { enable_original_recipient: 'no' },
    recipients: ['a@b.test', 'A@B.test', 'c', 'c@example.test'],
  },
  {
    name: 'duplicate_filter_limit',
    main: { duplicate_filter_limit: '2' },
    recipients: ['a@b.test', 'b@b.test', 'c@b.test', 'a@b.test', 'c@b.test', 'b@b.test'],
  },
  {
    name: 'duplicates with other DSN parameters',
    recipients: ['a@b.test'],
    behind: [...notify, 'Ra@b.test', ...notify, 'Ra@b.test'],
  },
]

const bccMaps = {
  sender_bcc_maps: table({ 'ann@host.example.test': 'archive', '@whole.test': 'w@x.test' }),
  recipient_bcc_maps: table({
    'dora@example.test': 'd+copy@x.test',
    'eve@example.test': 'e@x.test',
    '@whole.test': 'x@whole.test',
  }),
}
const bccCases: CleanupCase[] = [
  { name: 'always_bcc', main: { always_bcc: 'archive' }, ...people },
  { name: 'always_bcc to a recipient', main: { always_bcc: 'dora' }, ...people },
  {
    name: 'always_bcc without the flag',
    main: { always_bcc: 'archive' },
    flags: MAIL & ~CLEANUP_FLAGS.bcc,
    ...people,
  },
  {
    name: 'always_bcc through an alias',
    main: { always_bcc: 'group', virtual_alias_maps: aliases },
    ...people,
  },
  { name: 'BCC maps', main: bccMaps, ...people },
  {
    name: 'BCC maps, extension',
    main: bccMaps,
    sender: 'x@whole.test',
    recipients: ['eve+y', 'q@whole.test', 'q2@whole.test'],
  },
  {
    name: 'BCC maps and aliases',
    main: {
      ...bccMaps,
      virtual_alias_maps: table({
        'dora@example.test': 'eve@example.test',
        'archive@example.test': 'a1@x.test, a2@x.test',
      }),
    },
    ...people,
  },
  {
    name: 'BCC maps for the null sender',
    main: { sender_bcc_maps: table({ '<>': 'null@x.test', '@': 'at@x.test' }) },
    sender: '',
  },
  { name: 'BCC maps fail', main: { recipient_bcc_maps: 'fail:it' }, ...people },
  { name: 'sender BCC maps fail', main: { sender_bcc_maps: 'fail:it' }, ...people },
  {
    name: 'BCC result of several addresses',
    main: { recipient_bcc_maps: table({ 'dora@example.test': 'a@b.test, c@d.test' }) },
    ...people,
  },
  {
    name: 'all copies',
    main: {
      ...bccMaps,
      always_bcc: 'all@x.test',
      header_checks: 'regexp:{{/^subject/ BCC h@x.test}}',
    },
    ...people,
  },
  {
    name: 'canonical BCC',
    main: { ...bccMaps, canonical_maps: table({ 'archive@example.test': 'store@x.test' }) },
    ...people,
  },
]

t.setTimeout(120_000)
t.test('virtual aliases', async (t) => compareCases(t, virtualCases))
t.test('automatic copies', async (t) => compareCases(t, bccCases))
