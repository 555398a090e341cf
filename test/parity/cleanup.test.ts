/**
 * cleanup - both systems make the same queue file of the same headers and body
 *
 * Needs root and Postfix 3.7.
 */
import t from 'tap'
import { CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import { MAIL, SUBMISSION, compareCases, type CleanupCase } from './cleanup-cases.ts'

const remote = ['Arewrite_context=remote']
const addsAlways = { always_add_missing_headers: 'yes' }
const complete = 'From: a@b.test\nDate: d\nTo: c@d.test\nMessage-Id: <1@b.test>'

const headers: CleanupCase[] = [
  { name: 'nothing missing', text: `${complete}\nSubject: s\n\nbody` },
  { name: 'everything missing', text: '\nbody' },
  { name: 'no content at all', content: ['NReceived: x'] },
  { name: 'no Received header', content: ['NSubject: x', 'N', 'Nbody'] },
  { name: 'no records in content', content: [] },
  { name: 'everything missing, remote client', before: remote, text: 'Subject: x\n\nbody' },
  {
    name: 'everything missing, remote client, always added',
    main: addsAlways,
    before: remote,
    text: 'Subject: x\n\nbody',
  },
  { name: 'null sender', sender: '', text: 'Subject: x\n\nbody' },
  { name: 'full name', before: ['FFull Name'], text: '\nbody' },
  { name: 'full name with specials', before: ['FO. Name, "Jr"'], text: '\nbody' },
  { name: 'full name beyond ASCII', before: ['FJosé'], text: '\nbody', flags: SUBMISSION },
  { name: 'full name with a backslash', before: ['Fa\\b (c)'], text: '\nbody' },
  { name: 'two full names', before: ['FOne', 'FTwo'], text: '\nbody' },
  { name: 'empty full name', before: ['F'], text: '\nbody' },
  {
    name: 'obsolete From format',
    main: { header_from_format: 'obsolete' },
    before: ['FFull (x) Name'],
    text: '\nbody',
  },
  {
    name: 'obsolete From format, no name',
    main: { header_from_format: 'obsolete' },
    text: '\nbody',
  },
  { name: 'sender that needs quotes', sender: 'a b@example.org', text: '\nbody' },
  {
    name: 'undisclosed recipients header',
    main: { undisclosed_recipients_header: 'To: undisclosed-recipients:;' },
    text: '\nbody',
  },
  {
    name: 'undisclosed recipients header, Cc present',
    main: { undisclosed_recipients_header: 'To: undisclosed-recipients:;' },
    text: 'Cc: x@y.test\n\nbody',
  },
  {
    name: 'undisclosed recipients header, only Bcc present',
    main: { undisclosed_recipients_header: 'To: undisclosed-recipients:;' },
    text: 'Bcc: x@y.test\n\nbody',
  },
  {
    name: 'undisclosed recipients header, Apparently-To present',
    main: { undisclosed_recipients_header: 'To: undisclosed-recipients:;' },
    text: 'Apparently-To: x@y.test\n\nbody',
  },
  { name: 'Resent- header', text: 'Resent-To: x@y.test\nFrom: a@b.test\n\nbody' },
  {
    name: 'complete Resent- headers',
    text: 'Resent-From: a\nResent-Date: d\nResent-Message-Id: <r@x>\nResent-To: b\nMessage-ID: <q>\n\nbody',
  },
  { name: 'Resent-Bcc and Resent-Cc', text: 'Resent-Bcc: a\nResent-Cc: b\nBcc: c\n\nbody' },
  { name: 'Resent-Reply-To', text: 'Resent-Reply-To: a\nResent-Sender: b\nSender: c\n\nbody' },
  { name: 'empty From', text: 'From:\nTo:\nDate:\nMessage-Id:\n\nbody' },
  { name: 'several Message-Ids', text: 'Message-Id: <a>\nMessage-Id: <b>\n\nbody' },
  { name: 'folded Message-Id', text: 'Message-Id:\n <a@b\n .test>\n\nbody' },
  { name: 'Message-Id with spaces', text: 'Message-Id:   <a @ b>  \n\nbody' },
  { name: 'two From headers', text: 'From: a\nFrom: b\n\nbody' },
  {
    name: 'dropped headers',
    text: 'Return-Path: <x@y>\nContent-Length: 3\nBcc: q\nStatus: R\n\nbody',
  },
  {
    name: 'message_drop_headers',
    main: { message_drop_headers: 'subject, X-Mine, received' },
    text: 'Subject: s\nX-MINE: s\nBcc: a\nX-Mine-Not: s\n\nbody',
  },
  { name: 'Return-Receipt-To and Errors-To', text: 'Return-Receipt-To: a\nErrors-To: b\n\nbody' },
  {
    name: 'addresses in many headers',
    text:
      'From: a\nSender: b\nReply-To: c\nTo: d\nCc: e\nDisposition-Notification-To: f\n' +
      'Mail-Followup-To: g\nMail-Reply-To: g2\nErrors-To: h\nX-Other: i\nApparently-To: k\nReturn-Path: l\n\nbody',
  },
  {
    name: 'addresses in many headers, remote, with domain',
    main: { remote_header_rewrite_domain: 'far.invalid' },
    before: remote,
    text: 'From: a\nTo: d, e@host, f%g, h!i, "j k", @l:m@n, o@p.\nCc: x@host.\n\nbody',
  },
  { name: 'remote without domain', before: remote, text: 'From: a\nTo: d, e@host\n\nbody' },
  {
    name: 'address forms',
    text: 'To: d, e@host, f%g, h!i, "j k", @l:m@n, o@p., q@[1.2.3.4], Group: x, y; <>, <z>, (comment) aa (bb)\n\nbody',
  },
  { name: 'odd blanks in addresses', text: 'To: a @ b , c . d @ e\n\t.f ,,, <g h>\n\nbody' },
  {
    name: 'source routes',
    text: 'To: @l:m@n, o@p.\nCc: <@l:m@n>, @l,@k:m@n\nFrom: @l:m@n, x; y@z\n\nbody',
  },
  { name: 'unbalanced headers', text: 'To: <a\nCc: "b\nFrom: (c\nSender: d>, e;\n\nbody' },
  {
    name: 'long address list',
    text: `To: ${Array.from({ length: 40 }, (_, at) => `user${at}`).join(', ')}\n\nbody`,
  },
  {
    name: 'long address list, nothing to change',
    text: `To: ${Array.from({ length: 40 }, (_, at) => `user${at}@example.com`).join(', ')}\n\nbody`,
  },
  {
    name: 'header_address_token_limit',
    main: { header_address_token_limit: '10' },
    text: 'To: a, b, c, d, e, f, g, h, i, j, k, l\n\nbody',
  },
  {
    name: 'names with odd phrases',
    text: 'From: =?utf-8?q?x?= Doe, J. <a>\nTo: "Doe, J" <b> (c)\n\nbody',
  },
  { name: 'blanks before the colon', text: 'Subject : s\nTo  : a\nX\t: b\n\nbody' },
  {
    name: 'headers without blank behind the colon',
    text: 'Subject:s\nTo:a\nFrom:b@c.test\n\nbody',
  },
  { name: 'header without name', text: ': x\nSubject: y\n\nbody' },
  { name: 'line that is no header', text: 'Subject: y\nthis is body\nSubject: not' },
  { name: 'From_ line in front', text: 'From me Mon\nSubject: y\n\nbody' },
  { name: '>From_ line', text: '>From me Mon\nSubject: y\n\nbody' },
  { name: 'continuation in front', content: ['N continued', 'NReceived: x', 'N', 'Nbody'] },
  { name: 'continuation of Received', text: ' continued\n\tagain\nSubject: s\n\nbody' },
  { name: 'header of blanks only', text: 'Subject: s\n   \n\t\n\nbody' },
  { name: 'header ends the message', text: 'Subject: s' },
  { name: 'folded header ends the message', text: 'Subject: s\n more' },
  { name: 'header with control characters', text: 'Subject: a\x01b\x7f\nX\x01Y: z\n\nbody' },
  { name: 'header names beyond ASCII', text: 'Sübject: a\nSubject: b\n\nbody' },
  { name: '8-bit headers', text: 'Subject: J\xc3\xb6rg\nTo: J\xc3\xb6rg <a@b.test>\n\nb\xf6dy' },
  { name: '8-bit headers, autodetection', flags: SUBMISSION, text: 'Subject: \xf6\n\nb\xf6dy' },
  {
    name: 'SMTPUTF8 requested',
    flags: MAIL | CLEANUP_FLAGS.smtpUtf8,
    sender: 'j\xc3\xb6rg@example.org',
    recipients: ['j\xc3\xb6rg@example.net', 'a@b\xc3\xbccher.test', 'plain'],
    text: 'Subject: \xc3\xb6\nFrom: j\xc3\xb6rg\n\nbody',
  },
  {
    name: 'SMTPUTF8 autodetection by recipient',
    flags: SUBMISSION,
    recipients: ['plain@example.net', 'j\xc3\xb6rg@example.net', 'next@example.net'],
  },
  {
    name: 'SMTPUTF8 autodetection by sender',
    flags: SUBMISSION,
    sender: 'j\xc3\xb6rg@example.net',
  },
  { name: '8-bit sender without SMTPUTF8', sender: 'j\xc3\xb6rg@example.net' },
  {
    name: 'smtputf8_enable = no',
    main: { smtputf8_enable: 'no' },
    flags: SUBMISSION,
    recipients: ['j\xc3\xb6rg@example.net'],
    text: 'Subject: \xc3\xb6\n\nbody',
  },
  {
    name: 'SMTPUTF8 requested, smtputf8_enable = no',
    main: { smtputf8_enable: 'no' },
    flags: MAIL | CLEANUP_FLAGS.smtpUtf8,
    sender: 'j\xc3\xb6rg@example.org',
    recipients: ['j\xc3\xb6rg@example.net'],
    text: 'Subject: \xc3\xb6\n\nbody',
  },
  {
    name: 'message_drop_headers of what would be added',
    main: { message_drop_headers: 'from, date, message-id, to' },
    text: 'From: a\nDate: d\nMessage-Id: <x>\nTo: b\n\nbody',
  },
  { name: 'NUL in a header', text: 'Subject: a\0b\n c\0d\nTo: x\0y\n\nbody\0more' },
  { name: 'CR in headers and body', text: 'Subject: a\rb\r\nX: \r\n\nbody\r\n\rmore\r' },
  {
    name: 'CR kept',
    main: { cleanup_replace_stray_cr_lf: 'no' },
    text: 'Subject: a\rb\r\nX: y\r\n\r\nbody\r\n\rmore\r',
  },
  { name: 'CR instead of the empty line', text: 'Subject: a\n\r\nbody' },
  { name: 'LF within a record', content: ['NReceived: x', 'NSubject: a\nX: b', 'N', 'Na\nb'] },
  {
    name: 'LF within a record, kept',
    main: { cleanup_replace_stray_cr_lf: 'no' },
    content: ['NReceived: x', 'NSubject: a\nX: b\n c', 'N', 'Na\nb'],
  },
  { name: 'pieces of a header', content: ['NReceived: x', 'LSub', 'Nject: a', 'N', 'Nb'] },
  {
    name: 'pieces of a header name',
    content: ['NReceived: x', 'LSubject: ab', 'Lcd', 'Nef', 'N', 'Nb'],
  },
  { name: 'text ends within a line', content: ['NReceived: x', 'N', 'Labc'] },
  { name: 'header ends within a line', content: ['NReceived: x', 'LSubject: a'] },
  { name: 'empty piece', content: ['NReceived: x', 'N', 'L', 'N', 'Nb'] },
  { name: 'long body line', text: `Subject: s\n\n${'x'.repeat(5000)}\nshort` },
  { name: 'long header line', text: `Subject: ${'x'.repeat(5000)}\nX: y\n\nshort` },
  {
    name: 'long header, short records',
    content: [
      'NReceived: x',
      `LSubject: ${'x'.repeat(2039)}`,
      `L${'y'.repeat(2048)}`,
      'Nz',
      'N',
      'Nb',
    ],
  },
  { name: 'header of a million octets', text: `X: ${'x'.repeat(1_000_000)}\nSubject: s\n\nshort` },
  {
    name: 'header of many lines beyond the limit',
    text: `X: y\n${`\t${'z'.repeat(1000)}\n`.repeat(150)}Subject: s\n\nshort`,
  },
  {
    name: 'header_size_limit',
    main: { header_size_limit: '100' },
    text: `X: ${'x'.repeat(200)}\nY: ${'y'.repeat(92)}\n z\nZ: ${'z'.repeat(80)}\n aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n b\nSubject: s\n\nshort`,
  },
  {
    name: 'header_size_limit and addresses',
    main: { header_size_limit: '100' },
    text: `To: ${'user, '.repeat(40)}end\nSubject: s\n\nshort`,
  },
  {
    name: 'line_length_limit',
    main: { line_length_limit: '512' },
    text: `Subject: ${'x'.repeat(1500)}\nTo: ${'user, '.repeat(200)}end\n\n${'y'.repeat(1050)}\n${'z'.repeat(512)}`,
  },
  { name: 'hopcount_limit', text: `${'Received: x\n'.repeat(49)}Subject: s\n\nbody` },
  { name: 'below hopcount_limit', text: `${'Received: x\n'.repeat(48)}Subject: s\n\nbody` },
  {
    name: 'hopcount_limit, submission',
    flags: SUBMISSION,
    text: `${'Received: x\n'.repeat(49)}Subject: s\n\nbody`,
  },
  {
    name: 'message_size_limit',
    main: { message_size_limit: '2000' },
    text: `Subject: s\n\n${'body\n'.repeat(500)}`,
  },
  {
    name: 'message_size_limit, submission',
    main: { message_size_limit: '2000' },
    flags: SUBMISSION,
    text: `Subject: s\n\n${'body\n'.repeat(500)}`,
  },
  {
    name: 'message_reject_characters',
    main: { message_reject_characters: '\\0\\377' },
    text: 'Subject: s\n\nbo\0dy\nmore',
  },
  {
    name: 'message_reject_characters in a header',
    main: { message_reject_characters: '\\0\\377' },
    text: 'Subject: s\xff\n\nbody',
  },
  {
    name: 'message_reject_characters, none there',
    main: { message_reject_characters: '\\0\\377' },
    text: 'Subject: s\n\nbody',
  },
  {
    name: 'message_strip_characters',
    main: { message_strip_characters: '\\0\\r\\a' },
    text: 'Sub\x07ject: s\0t\rx\n\nbo\0dy\x07\n\x07\0',
  },
  {
    name: 'long queue ids',
    main: { enable_long_queue_ids: 'yes' },
    text: '\nbody',
  },
]

t.test('headers and text', async (t) => {
  await compareCases(t, headers)
})
