/**
 * cleanup-envelope - envelope and extracted records, good and bad: the same queue file, or the same refusal
 *
 * Needs root and Postfix 3.7.
 */
import { encodeRecord } from '@posthorn/queue/record'
import { CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import t from 'tap'
import { MAIL, SUBMISSION, compareCases, streamOf, type CleanupCase } from './cleanup-cases.ts'

const warned = { delay_warning_time: '4h' }
const limit = (count: number): string[] => Array.from({ length: count }, (_, at) => `Aname${at}=x`)

const envelope: CleanupCase[] = [
  { name: 'delay_warning_time', main: warned },
  { name: 'delay_warning_time, null sender', main: warned, sender: '' },
  { name: 'delay_warning_time already there', main: warned, before: ['W          12345'] },
  { name: 'warning time without parameter', before: ['W          12345'] },
  {
    name: 'attributes',
    before: ['Aa=b', 'A c = d ', 'Aa=e', 'Asasl_username=u', 'Aencoding=8bit', 'Aencoding=odd'],
  },
  { name: 'attribute without value', before: ['Aempty='] },
  { name: 'attribute of blanks', before: ['Aempty=   '] },
  { name: 'attribute without =', before: ['Aempty'] },
  { name: 'attribute without name', before: ['A=x'] },
  { name: 'attribute with blank in its name', before: ['Aa b=x'] },
  { name: 'empty attribute', before: ['A'] },
  { name: '97 attributes', before: limit(97) },
  { name: 'attribute limit', before: limit(100) },
  {
    name: 'queue_file_attribute_count_limit',
    main: { queue_file_attribute_count_limit: '3' },
    before: ['Aa=1', 'Ab=2', 'Aa=3'],
  },
  {
    name: 'queue_file_attribute_count_limit reached',
    main: { queue_file_attribute_count_limit: '3' },
    before: ['Aa=1', 'Ab=2', 'Ac=3', 'Ad=4'],
  },
  { name: 'bad rewriting context', before: ['Arewrite_context=other'] },
  { name: 'content filter and inspector', before: ['Lsmtp:[127.0.0.1]', 'Iscan'] },
  { name: 'redirect', before: ['>x@y.test'] },
  {
    name: 'DSN parameters',
    before: ['Aret_flags=1', 'Aenvelope_id=abc'],
    recipients: [],
    behind: ['Anotify_flags=14', 'Adsn_orig_rcpt=rfc822;x@y', 'Ra', 'Rb'],
  },
  {
    name: 'DSN parameters as records',
    before: ['<2', 'iabc'],
    recipients: [],
    behind: ['n1', 'orfc822;x@y', 'Ra', 'Rb'],
  },
  { name: 'bad DSN return flags', before: ['Aret_flags=3'] },
  { name: 'bad DSN return flags, text', before: ['Aret_flags=x'] },
  ...['0', '3', '16', '-1', 'x', '', '5'].map((value) => ({
    name: `bad notify flags <${value}>`,
    behind: [`n${value}`, 'Rx'],
  })),
  { name: 'original recipient', recipients: [], behind: ['Oorig@x.test', 'Ra', 'Rb'] },
  {
    name: 'original recipient and DSN',
    recipients: [],
    behind: ['Oorig@x.test', 'orfc822;dsn@x.test', 'Ra'],
  },
  {
    name: 'done and cancelled recipients',
    recipients: [],
    behind: ['n2', 'Oorig@x.test', 'Da', 'Rb', 'n4', '/c', 'Rd'],
  },
  { name: 'killed record', recipients: ['a'], behind: ['Ksomething', 'Rb'] },
  { name: 'empty recipient', recipients: [''] },
  {
    name: 'empty recipient, parameter',
    main: { empty_address_recipient: 'nobody' },
    recipients: [''],
  },
  { name: 'no recipient', recipients: [] },
  { name: 'no recipient, submission', flags: SUBMISSION, recipients: [] },
  { name: 'recipients are all done', recipients: [], behind: ['Da'] },
  { name: 'other records behind recipients', behind: ['Aa=b', 'Rx', 'Llater:'] },
  { name: 'attribute behind recipients', behind: ['Aencoding=8bit'] },
  { name: 'VERP', behind: ['V+='] },
  { name: 'VERP before the sender', before: ['V+='] },
  { name: 'VERP, null sender', sender: '', behind: ['V+='] },
  { name: 'VERP, bad delimiters', behind: ['Vxy'] },
  { name: 'VERP, one delimiter', behind: ['V+'] },
  {
    name: 'VERP, other filter',
    main: { verp_delimiter_filter: 'xy', default_verp_delimiters: 'xy' },
    behind: ['Vxy'],
  },
  { name: 'VERP twice', behind: ['V+=', 'V=+'] },
  ...['4', '8', '12', '1', 'x', '', '-4'].map((value) => ({
    name: `extra flags <${value}>`,
    behind: [`f${value}`],
  })),
  { name: 'flag HOLD', flags: MAIL | CLEANUP_FLAGS.hold },
  { name: 'flag DISCARD', flags: MAIL | CLEANUP_FLAGS.discard },
  { name: 'sender twice', behind: ['Sagain@x.test'] },
  { name: 'create time', before: ['c1600000000', 'Acreate_time=1600000000'] },
  { name: 'size record', before: ['C 1 2 3'] },
  { name: 'NUL in payloads', sender: 'a@b.test\0x', recipients: ['c@d.test\0x'] },
  {
    name: 'control characters in addresses',
    sender: 'a\x01b@c.test',
    recipients: ['d\te@f.test', 'g\rh@i.test', 'k\nl@m.test'],
  },
  { name: 'pointer record', before: ['p              0'] },
  { name: 'padding record', before: ['w 0'] },
  { name: 'unknown record', before: ['?x'] },
  { name: 'text in the envelope', before: ['Ntext'] },
  { name: 'extracted record in the envelope', before: ['rx'] },
  { name: 'end in the envelope', stream: encodeRecord('T', '1 1') + encodeRecord('E') },
  { name: 'only an end', stream: encodeRecord('E') },
  {
    name: 'no time',
    stream: ['Sa', 'Rb', 'M', 'NReceived: x', 'X', 'E']
      .map((r) => encodeRecord(r.charAt(0), r.slice(1)))
      .join(''),
  },
  {
    name: 'no sender',
    stream: ['T1 1', 'Rb', 'M', 'NReceived: x', 'X', 'E']
      .map((r) => encodeRecord(r.charAt(0), r.slice(1)))
      .join(''),
  },
  {
    name: 'no sender and no recipient',
    stream: ['T1 1', 'M', 'NReceived: x', 'X', 'Rx', 'E']
      .map((r) => encodeRecord(r.charAt(0), r.slice(1)))
      .join(''),
  },
  ...['x', '', '1700000000', '1700000000 x', '17x'].map((time) => ({
    name: `time <${time}>`,
    stream: [`T${time}`, 'Sa', 'Rb', 'M', 'NReceived: x', 'X', 'E']
      .map((r) => encodeRecord(r.charAt(0), r.slice(1)))
      .join(''),
  })),
]

// Postfix names a function of its own instead of the message.
const content: CleanupCase[] = [
  {
    name: 'envelope record in the content',
    content: ['NReceived: x', 'N', 'Nb', 'Ra', 'Nc'],
    ignoredLog: /in message content/,
  },
  {
    name: 'end in the content',
    content: ['NReceived: x', 'N', 'Nb', 'E'],
    ignoredLog: /in message content/,
  },
  {
    name: 'message twice',
    content: ['NReceived: x', 'N', 'Nb', 'M', 'Nc'],
    ignoredLog: /in message content/,
  },
  { name: 'padding in the content', content: ['NReceived: x', 'w 0', 'N', 'Nb'] },
  { name: 'pointer in the content', content: ['NReceived: x', 'N', 'p 0', 'Nb'] },
  {
    name: 'extracted recipients',
    recipients: [],
    extracted: ['Ra', 'n2', 'orfc822;q@x', 'Rb', 'Oorig', 'Rc'],
  },
  { name: 'recipients in both places', extracted: ['Rto@example.net', 'Rmore@example.net'] },
  { name: 'extracted filter and redirect', extracted: ['Lscan:x', '>y@z.test', 'Iq'] },
  { name: 'extracted flags', extracted: ['f4'] },
  {
    name: 'extracted attributes',
    extracted: ['Aa=b', 'Aencoding=8bit', 'Anotify_flags=4', 'Rx', 'Aempty='],
  },
  { name: 'obsolete extracted records', extracted: ['rx@y', 'ex@y', 'Purgent', 'Fname', 'Kx'] },
  { name: 'bad extracted attribute', extracted: ['Ax'] },
  { name: 'sender in the extracted segment', extracted: ['Sx'] },
  { name: 'text in the extracted segment', extracted: ['Nx'] },
  {
    name: 'encoding and extracted recipients',
    before: ['Aencoding=7bit'],
    text: 'Content-Transfer-Encoding: 8bit\n\nx',
    extracted: ['Ra', 'Lx:y', 'Rb'],
  },
  { name: 'encoding without extracted recipients', before: ['Aencoding=7bit'] },
  {
    name: 'header filter, extracted filter',
    main: { header_checks: 'regexp:{{/^subject/ FILTER h:}}' },
    extracted: ['Le:', 'Rx'],
  },
  { name: 'many recipients', recipients: Array.from({ length: 1200 }, (_, at) => `u${at}@x.test`) },
  {
    name: 'attributes of smtpd',
    before: [
      'Alog_ident=Q',
      'Alog_client_name=c.test',
      'Aclient_address=192.0.2.1',
      'Aprotocol_name=SMTP',
    ],
  },
]

const octets = streamOf({ name: '' })
const cut: CleanupCase[] = [
  // Who is read is told in other words.
  { name: 'bad length', stream: 'T\xff\xff\xff\xff\xff\xff\x01' + octets, ignoredLog: /record/ },
  {
    name: 'length in five octets',
    stream: 'T\x91\x80\x80\x80\x001700000000 123456' + octets.slice(octets.indexOf('S')),
  },
]

t.setTimeout(120_000)
t.test('envelope', async (t) => compareCases(t, envelope))
t.test('content and extracted records', async (t) => compareCases(t, content))
t.test('framing', async (t) => compareCases(t, cut))
