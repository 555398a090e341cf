/**
 * cleanup-checks - header_checks, body_checks and the MIME rules: what is asked, what the answer does, what is logged
 *
 * Needs root and Postfix 3.7.
 */
import t from 'tap'
import { MAIL, SUBMISSION, compareCases, type CleanupCase } from './cleanup-cases.ts'
import { CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'

const rules = (...lines: string[]): string =>
  `regexp:{${lines.map((line) => `{${line}}`).join(', ')}}`

const origin = [
  'Alog_message_origin=client.example.test[192.0.2.1]',
  'Alog_helo_name=helo.test',
  'Alog_protocol_name=ESMTP',
]
const two = 'Subject: first\nX-Test: second line\n folded\nTo: a@b.test\n\nfirst body\nsecond body'

const ACTIONS = [
  ...['REJECT', 'REJECT some text', 'REJECT 5.7.9 coded', 'REJECT 4.7.9 later', 'REJECT 2.0.0 odd'],
  ...['REJECT 5.7 short', 'REJECT 550 5.7.1 reply', 'reject Lower', 'WARN', 'WARN some text'],
  ...['INFO', 'INFO some text', 'HOLD', 'HOLD some text', 'DISCARD', 'DISCARD some text'],
  ...['FILTER scan:[127.0.0.1]:25', 'FILTER scan:', 'FILTER scan', 'FILTER'],
  ...['REDIRECT x@y.test', 'REDIRECT x', 'REDIRECT', 'BCC x@y.test', 'BCC x', 'BCC'],
  ...['PREPEND X-New: new', 'PREPEND new', 'PREPEND', 'REPLACE Subject: new', 'REPLACE To: new, x'],
  ...['REPLACE new', 'REPLACE', 'IGNORE', 'IGNORE text', 'STRIP', 'STRIP some text'],
  ...['DUNNO', 'OK', 'PASS', 'PASS some text', 'DEFER', 'DELAY 1', 'what is this', 'ACCEPT'],
]

const actions: CleanupCase[] = ACTIONS.flatMap((action) => [
  {
    name: `header_checks ${action}`,
    main: { header_checks: rules(`/^subject:/ ${action}`) },
    before: origin,
    text: two,
  },
  {
    name: `body_checks ${action}`,
    main: { body_checks: rules(`/^first/ ${action}`) },
    before: origin,
    text: two,
  },
])

const returned: CleanupCase[] = ['REJECT some text', 'REJECT 4.7.9 later', 'DISCARD', 'HOLD'].map(
  (action) => ({
    name: `submission, header_checks ${action}`,
    main: { header_checks: rules(`/^subject:/ ${action}`) },
    flags: SUBMISSION,
    before: ['Alog_message_origin=local'],
    text: two,
  }),
)

const back: CleanupCase[] = [
  {
    name: 'content',
    main: { header_checks: rules('/^subject:/ REJECT 5.7.9 no thanks') },
    text: two,
  },
  { name: 'content of the body', main: { body_checks: rules('/second/ REJECT') }, text: two },
  { name: 'hops', main: { hopcount_limit: '1' }, text: two },
  {
    name: 'size',
    main: { message_size_limit: '2000' },
    text: `Subject: s\n\n${'line of the body\n'.repeat(300)}`,
  },
  { name: 'characters', main: { message_reject_characters: '\\0' }, text: 'Subject: s\n\nbo\0dy' },
  {
    name: 'several recipients',
    main: { hopcount_limit: '1' },
    recipients: ['a@b.test', 'c'],
    behind: [
      'Anotify_flags=1',
      'Rd@e.test',
      'Anotify_flags=4',
      'Adsn_orig_rcpt=rfc822;o@p',
      'Rf@g.test',
    ],
    text: two,
  },
  {
    name: 'headers only',
    main: { hopcount_limit: '1' },
    before: ['Aret_flags=2', 'Aenvelope_id=e'],
    text: two,
  },
].map((one) => ({
  ...one,
  name: `returned: ${one.name}`,
  main: one.main,
  flags: SUBMISSION,
  isReturned: true,
}))

const mime =
  'MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b o"\nSubject: s\n\npreamble\n' +
  '--b o\nContent-Type: text/plain\nX-Part: 1\n\ntext\nX-Not: header\n' +
  '--b o\nContent-Type: message/rfc822\n\nSubject: nested\nContent-Type: multipart/alternative;\n boundary=in\n\n' +
  '--in\nX-Inner: 1\n\ninner\n--in--\nafter\n--b o--\nepilogue'
const everywhere = '/^/ INFO $0'
const all = '/(.*)/ INFO $1'

const mimeCases: CleanupCase[] = [
  ...['header_checks', 'mime_header_checks', 'nested_header_checks', 'body_checks'].map((name) => ({
    name: `${name} of a MIME message`,
    main: {
      mime_header_checks: '',
      nested_header_checks: '',
      [name]: rules(all),
    },
    text: mime,
  })),
  { name: 'header_checks stand for all headers', main: { header_checks: rules(all) }, text: mime },
  {
    name: 'disable_mime_input_processing',
    main: {
      header_checks: rules(all),
      body_checks: rules(all),
      disable_mime_input_processing: 'yes',
    },
    text: mime,
  },
  { name: 'empty lines', main: { body_checks: rules(everywhere) }, text: 'Subject: s\n\n\nx\n\n' },
  {
    name: 'mime_nesting_limit',
    main: { header_checks: rules(all), body_checks: rules(all), mime_nesting_limit: '1' },
    text: mime,
  },
  {
    name: 'mime_nesting_limit 2',
    main: { header_checks: rules(all), body_checks: rules(all), mime_nesting_limit: '2' },
    text: mime,
  },
  {
    name: 'mime_boundary_length_limit',
    main: { header_checks: rules(all), mime_boundary_length_limit: '3' },
    text: 'Content-Type: multipart/mixed; boundary=abcdef\n\n--abcxyz\nX-A: b\n\n--abcdef\nX-B: c\n\n--abcdef--\nx',
  },
  {
    name: 'body_checks_size_limit',
    main: { body_checks: rules(all), body_checks_size_limit: '20' },
    text: 'Subject: s\n\nten octets\nten octets\nten octets\nmore',
  },
  {
    name: 'body_checks_size_limit of each part',
    main: { body_checks: rules(all), body_checks_size_limit: '10' },
    text: mime,
  },
  {
    name: 'header_checks see folded headers',
    main: {
      header_checks: rules('/^x-test: second line\\n folded$/ INFO $0', '/folded$/ WARN end'),
    },
    text: two,
  },
  {
    name: 'long text is cut in the log',
    main: { header_checks: rules('/^x/ WARN') },
    text: `X: ${'y'.repeat(400)}\n z\n\nb`,
  },
  {
    name: 'long body line',
    main: { body_checks: rules('/^x/ WARN') },
    text: `X: y\n\n${'x'.repeat(5000)}`,
  },
  {
    name: 'control characters in the log',
    main: { header_checks: rules('/^x/ WARN'), body_checks: rules('/b/ WARN') },
    text: 'X: \x01\x7f\xe9\xc3\xa9\n\n\x02b\xe9',
  },
  {
    name: 'several matches',
    main: {
      header_checks: rules(
        '/^a/ FILTER one:',
        '/^b/ FILTER two:',
        '/^c/ REDIRECT x@y.test',
        '/^d/ REDIRECT z@y.test',
        '/^e/ BCC e@y.test',
        '/^f/ FILTER three:',
      ),
    },
    text: 'A: 1\nB: 1\nE: 1\nC: 1\nD: 1\nE: 2\nF: 1\n\nbody',
  },
  {
    name: 'warnings behind REJECT',
    main: { header_checks: rules('/^a/ REJECT one', '/^b/ WARN two', '/^c/ REJECT three') },
    text: 'A: 1\nB: 1\nC: 1\n\nbody',
  },
  {
    name: 'behind DISCARD and PASS',
    main: { header_checks: rules('/^a/ PASS', '/^b/ WARN two'), body_checks: rules('/x/ WARN') },
    text: 'A: 1\nB: 1\nC: 1\n\nbox',
  },
  {
    name: 'PREPEND and REPLACE in MIME headers',
    main: {
      header_checks: rules(
        '/^x-part/ PREPEND X-Before: it',
        '/^x-inner/ REPLACE X-Other: it',
        '/^content-type: text/ REPLACE Content-Type: text/html',
      ),
      body_checks: rules('/^preamble/ PREPEND --b o', '/^epi/ REPLACE --b o--'),
    },
    text: mime,
  },
  {
    name: 'IGNORE the Received header',
    main: { header_checks: rules('/^received/ IGNORE') },
    text: two,
  },
  {
    name: 'IGNORE the encoding',
    main: { header_checks: rules('/^content-tr/ IGNORE') },
    text: 'Content-Transfer-Encoding: 8bit\n\nbod\xe9',
  },
  {
    name: 'REPLACE the encoding',
    main: { header_checks: rules('/^content-tr/ REPLACE Content-Transfer-Encoding: 7bit') },
    text: 'Content-Transfer-Encoding: 8bit\n\nbod\xe9',
  },
  {
    name: 'IGNORE all Received headers',
    main: { header_checks: rules('/^received/ IGNORE'), hopcount_limit: '3' },
    text: 'Received: a\nReceived: b\nReceived: c\n\nbody',
  },
  {
    name: 'IGNORE Message-Id and From',
    main: { header_checks: rules('/^(message-id|from|to)/ IGNORE') },
    text: 'Message-Id: <1>\nFrom: a\nTo: b\n\nbody',
  },
  {
    name: 'body_checks_size_limit and empty lines',
    main: { body_checks: rules(all), body_checks_size_limit: '10' },
    text: 'Subject: s\n\n\n\n\n\n\nx\n\n\n\ny\nz',
  },
  {
    name: 'body_checks_size_limit and long lines',
    main: { body_checks: rules(all), body_checks_size_limit: '4098' },
    content: [
      'NReceived: x',
      'N',
      `L${'x'.repeat(2048)}`,
      `L${'y'.repeat(2048)}`,
      'Nz',
      'Na',
      'Nb',
    ],
  },
  {
    name: 'IGNORE the Content-Type',
    main: { header_checks: rules('/^content-type: multi/ IGNORE') },
    text: mime,
  },
  {
    name: 'no checks without the flag',
    flags: MAIL & ~CLEANUP_FLAGS.filter,
    main: { header_checks: rules('/^/ REJECT'), body_checks: rules('/^/ REJECT') },
    text: two,
  },
  {
    name: 'REPLACE a header that would be dropped',
    main: { header_checks: rules('/^bcc: (.*)/ REPLACE X-Bcc: $1', '/^subject/ REPLACE Bcc: x') },
    text: 'Bcc: a\nSubject: s\n\nbody',
  },
  {
    name: 'PREPEND a header that would be missing',
    main: { header_checks: rules('/^subject/ PREPEND Date: now') },
    text: 'Subject: s\n\nbody',
  },
  {
    name: 'REPLACE with addresses',
    main: { header_checks: rules('/^x-to: (.*)/ REPLACE To: $1') },
    text: 'X-To: a, b@c\n\nbody',
  },
  { name: 'table that fails', main: { header_checks: 'fail:it' }, text: two },
  { name: 'body table that fails', main: { body_checks: 'fail:it' }, text: two },
  {
    name: 'several recipients',
    main: { header_checks: rules('/^subject/ WARN') },
    recipients: ['a@b.test', 'c d@e.test'],
    before: origin,
    text: two,
  },
  { name: 'null sender', main: { header_checks: rules('/^subject/ WARN') }, sender: '', text: two },
]

const strict: CleanupCase[] = [
  ...[
    'strict_7bit_headers',
    'strict_8bitmime',
    'strict_8bitmime_body',
    'strict_mime_encoding_domain',
  ].flatMap((parameter) =>
    [
      ['8-bit header', 'Subject: \xe9\n\nbody'],
      ['8-bit body', 'Subject: s\n\nbod\xe9'],
      ['8-bit body, declared', 'Content-Transfer-Encoding: 8bit\n\nbod\xe9'],
      ['8-bit body, quoted-printable', 'Content-Transfer-Encoding: quoted-printable\n\nbod\xe9'],
      [
        'base64 multipart',
        'Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: base64\n\n--b\n\nx\n--b--',
      ],
      [
        'quoted-printable message',
        'Content-Type: message/rfc822\nContent-Transfer-Encoding: quoted-printable\n\nX: y\n\nx',
      ],
      [
        'base64 partial',
        'Content-Type: message/partial\nContent-Transfer-Encoding: base64\n\nX: y\n\nx',
      ],
      [
        '8bit multipart with a 7bit part',
        'Content-Type: multipart/mixed; boundary=b\nContent-Transfer-Encoding: 8bit\n\n--b\n\n\xe9\n--b--',
      ],
      [
        '8bit part in a 7bit multipart',
        'Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Transfer-Encoding: 8bit\n\n\xe9\n--b--',
      ],
      [
        '8-bit part header',
        'Content-Type: multipart/mixed; boundary=b\n\n--b\nX: \xe9\n\nx\n--b--',
      ],
      ['8-bit body, base64', 'Content-Transfer-Encoding: base64\n\nx\xe9'],
      ['unknown encoding', 'Content-Transfer-Encoding: strange\n\nx\xe9'],
    ].map(([name = '', text = '']) => ({
      name: `${parameter}: ${name}`,
      main: { [parameter]: 'yes' },
      text,
      ignoredLog: /message-id/,
    })),
  ),
  {
    name: 'encoding of the envelope and of a header',
    before: ['Aencoding=7bit'],
    text: 'Content-Transfer-Encoding: 8bit\n\nbody',
  },
  {
    name: 'encoding of a part',
    text: mime.replace('X-Part: 1', 'Content-Transfer-Encoding: binary'),
  },
  { name: 'encoding with a comment', text: 'Content-Transfer-Encoding: (c) "8bit" x\n\nbody' },
  { name: 'encoding folded', text: 'Content-Transfer-Encoding:\n 8BIT\n\nbody' },
  {
    name: 'detect_8bit_encoding_header = no',
    main: { detect_8bit_encoding_header: 'no' },
    text: 'Content-Transfer-Encoding: 8bit\n\nbody',
  },
  {
    name: 'encoding, MIME disabled',
    main: { disable_mime_input_processing: 'yes' },
    text: 'Content-Transfer-Encoding: 8bit\n\nbody',
  },
]

t.setTimeout(120_000)
t.test('actions', async (t) => compareCases(t, [...actions, ...returned, ...back]))
t.test('what is asked', async (t) => compareCases(t, mimeCases))
t.test('MIME rules', async (t) => compareCases(t, strict))
