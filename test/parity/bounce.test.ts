/**
 * bounce - notices of both systems: to whom, from whom, of which structure, with which fields
 *
 * The words for people come from a template file, so that they are the same. Needs root and Postfix 3.7.
 */
import t from 'tap'
import { compareNotices, type BounceCase } from './bounce-cases.ts'
import { delay, failure, message, success } from './bounce-requests.ts'

const long = `${'a long reason with many words '.repeat(12)}end`
const remote = {
  diagnosticType: 'smtp',
  diagnosticText: '550 5.1.1 no such user',
  remoteMtaType: 'dns',
  remoteMtaName: 'mx.far.test',
  reason: 'host mx.far.test[192.0.2.1] said: 550 5.1.1 no such user (in reply to RCPT TO command)',
}

const fields: BounceCase[] = [
  { name: 'plain failure', ...failure },
  { name: 'remote failure', ...failure, entries: [{ dsn: remote }] },
  {
    name: 'long lines',
    ...failure,
    entries: [{ dsn: { ...remote, diagnosticText: long, reason: long } }],
  },
  { name: 'one long word', ...failure, entries: [{ dsn: { reason: `${'x'.repeat(200)} y` } }] },
  {
    name: 'several recipients',
    ...failure,
    entries: [
      {},
      { recipient: { recipient: 'b@c.test', dsnOriginalRecipient: 'rfc822;q@r.test' } },
      { dsn: remote },
    ],
  },
  {
    name: 'original recipient',
    ...failure,
    entries: [{ recipient: { originalRecipient: 'alias@x.test' } }],
  },
  {
    name: 'original recipient in other letters',
    ...failure,
    entries: [{ recipient: { originalRecipient: 'TO@example.net' } }],
  },
  {
    name: 'DSN original recipient',
    ...failure,
    entries: [
      { recipient: { dsnOriginalRecipient: 'rfc822;a b@x.test', originalRecipient: 'o@x.test' } },
    ],
  },
  {
    name: 'recipient that needs quotes',
    ...failure,
    entries: [{ recipient: { recipient: 'a b@c.test', originalRecipient: 'd"e@f.test' } }],
  },
  { name: 'empty recipient', ...failure, entries: [{ recipient: { recipient: '' } }] },
  {
    name: 'odd octets',
    ...failure,
    entries: [
      {
        recipient: { recipient: 'a\x01b@c.test' },
        dsn: { reason: 'tab\there \xe9 \xc3\xb6 new\nline' },
      },
    ],
  },
  { name: 'nothing said', ...failure, entries: [{ dsn: { status: '', action: '', reason: '' } }] },
  {
    name: 'only one of two',
    ...failure,
    entries: [{ dsn: { diagnosticType: 'smtp', remoteMtaName: 'x' } }],
  },
  {
    name: 'expired: 4.x.x',
    ...failure,
    log: 'defer',
    entries: [{ dsn: { status: '4.4.1', action: 'delayed' } }],
  },
  { name: 'envelope id', ...failure, envelopeId: 'id+2B with blanks' },
  { name: 'RET=HDRS', ...failure, returnFlags: 2 },
  { name: 'RET=FULL', ...failure, returnFlags: 1 },
  { name: 'sender that needs quotes', ...failure, sender: 'a b@x.test' },
  ...['7bit', '8bit'].map((encoding) => ({ name: `encoding ${encoding}`, ...failure, encoding })),
  ...['', '7bit', '8bit'].map((encoding) => ({
    name: `encoding <${encoding}>, smtputf8_enable = no`,
    ...failure,
    encoding,
    main: { smtputf8_enable: 'no' },
  })),
  {
    name: 'SMTPUTF8 message',
    ...failure,
    smtpUtf8: 3,
    entries: [
      {
        recipient: {
          recipient: 'b\xc3\xa4r@x.test',
          dsnOriginalRecipient: 'utf-8;b\xc3\xa4r@x.test',
        },
      },
    ],
  },
  { name: 'SMTPUTF8 headers only', ...failure, smtpUtf8: 1, returnFlags: 2 },
  { name: 'no log', ...failure, entries: [] },
  { name: 'bounce_size_limit', ...failure, main: { bounce_size_limit: '10' } },
  {
    name: 'message with long lines',
    ...failure,
    message: { name: '', text: `Subject: x\n\n${'y'.repeat(5000)}\nz` },
  },
  {
    name: 'message with folded headers, headers only',
    ...failure,
    returnFlags: 2,
    message: { name: '', text: 'Subject: x\n\tmore\nX: y\n z\n\nbody' },
  },
  { name: 'message without body', ...failure, message: { name: '', content: ['NReceived: x'] } },
]

const requests: BounceCase[] = [
  { name: 'delay', ...delay },
  { name: 'delay of SMTPUTF8 mail', ...delay, smtpUtf8: 1 },
  { name: 'delay, other lifetime', ...delay, main: { maximal_queue_lifetime: '1d' } },
  { name: 'delay of nobody', ...delay, sender: '' },
  { name: 'delay of nobody, class delay', ...delay, sender: '', main: { notify_classes: 'delay' } },
  {
    name: 'delay, class delay',
    ...delay,
    main: { notify_classes: 'delay', delay_notice_recipient: 'boss@x.test' },
  },
  { name: 'delay, RET=FULL', ...delay, returnFlags: 1 },
  { name: 'success', ...success },
  {
    name: 'sendmail -bv',
    ...success,
    flags: 512,
    entries: [{ dsn: { status: '2.0.0', action: 'deliverable', reason: 'delivers to mailbox' } }],
  },
  { name: 'sendmail -v', ...success, flags: 1024 },
  { name: 'success of nobody', ...success, sender: '' },
  {
    name: 'success of nobody, class 2bounce',
    ...success,
    sender: '',
    main: { notify_classes: '2bounce' },
  },
  {
    name: 'success of a double bounce',
    ...success,
    sender: 'double-bounce@mx.example.test',
    ignoresLog: true,
  },
  { name: 'success without log', ...success, entries: [] },
  { name: 'sendmail -v without log', ...success, flags: 1024, entries: [] },
  { name: 'sendmail -bv without log', ...success, flags: 512, entries: [] },
  {
    name: 'success with several entries',
    ...success,
    entries: [
      ...success.entries,
      { dsn: { status: '2.0.0', action: 'expanded', reason: 'alias expanded' } },
      { dsn: { status: '5.1.1', action: 'undeliverable' } },
    ],
  },
  { name: 'one recipient', message, request: 4 },
  {
    name: 'one recipient, all fields',
    message,
    request: 4,
    entries: [
      {
        recipient: {
          originalRecipient: 'o@x.test',
          dsnOriginalRecipient: 'rfc822;d@x.test',
          notifyFlags: 4,
        },
        dsn: remote,
      },
    ],
  },
  {
    name: 'one recipient, NOTIFY=NEVER',
    message,
    request: 4,
    entries: [{ recipient: { notifyFlags: 1 } }],
  },
  { name: 'one recipient of nobody', message, request: 4, sender: '' },
  {
    name: 'one recipient of nobody, class bounce',
    message,
    request: 4,
    sender: '',
    main: { notify_classes: 'bounce' },
  },
  { name: 'one recipient, class bounce', message, request: 4, main: { notify_classes: 'bounce' } },
  {
    name: 'VERP',
    ...failure,
    request: 3,
    entries: [{}, { recipient: { recipient: 'b@c.test', originalRecipient: 'o@c.test' } }],
  },
  {
    name: 'VERP, class bounce',
    ...failure,
    request: 3,
    main: { notify_classes: 'bounce' },
    entries: [{}, { recipient: { recipient: 'b@c.test' } }],
  },
  {
    name: 'VERP, NOTIFY',
    ...failure,
    request: 3,
    entries: [
      { recipient: { notifyFlags: 1 } },
      { recipient: { recipient: 'b@c.test', notifyFlags: 4 } },
    ],
  },
  { name: 'VERP of nobody', ...failure, request: 3, sender: '', ignoredLog: /VERP/ },
  {
    name: 'VERP, recipient without domain',
    ...failure,
    request: 3,
    entries: [{ recipient: { recipient: 'local' } }],
  },
  { name: 'VERP, other delimiters', ...failure, request: 3, delimiters: '-+' },
  { name: 'VERP, bad delimiters', ...failure, request: 3, delimiters: 'x' },
]

t.setTimeout(120_000)
t.test('fields', async (t) => compareNotices(t, fields))
t.test('requests', async (t) => compareNotices(t, requests))
