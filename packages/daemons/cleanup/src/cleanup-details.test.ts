/**
 * cleanup-details.test - small things in which cleanup(8) of Postfix 3.7.11 was found to do otherwise than expected
 *
 * test/parity/cleanup*.test.ts compares both systems; here each finding is on its own.
 */
process.env['TZ'] = 'UTC'
import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { ConfigError } from '@posthorn/config/config-error'
import { captureLog } from '@posthorn/log/capture-log'
import { CLEANUP_FLAGS, CLEANUP_STATUS } from '@posthorn/wire/cleanup-protocol'
import { CleanupFixture, type Submission, type TestRecord } from './cleanup-fixture.ts'
import { readSettings } from './settings.ts'

const MAIL = CLEANUP_FLAGS.filter | CLEANUP_FLAGS.bcc | CLEANUP_FLAGS.map

interface Made extends Submission {
  /** Type and payload, as `N text`. */
  readonly lines: readonly string[]
  readonly log: readonly string[]
}

interface Given {
  readonly settings?: Readonly<Record<string, string>>
  readonly flags?: number
  readonly envelope?: readonly TestRecord[]
  readonly recipients?: readonly TestRecord[]
  readonly content?: readonly string[]
  readonly extracted?: readonly TestRecord[]
}

async function make(given: Given): Promise<Made> {
  const fixture = await CleanupFixture.open(given.settings)
  const log = captureLog()
  try {
    const submission = await fixture.submit(given.flags ?? MAIL, [
      ['T', '1795216841 5'],
      ...(given.envelope ?? []),
      ['S', 'from@example.org'],
      ...(given.recipients ?? [['R', 'to@example.net']]),
      ['M', ''],
      ...['Received: x', ...(given.content ?? ['', 'body'])].map((line): TestRecord => ['N', line]),
      ['X', ''],
      ...(given.extracted ?? []),
      ['E', ''],
    ])
    const lines = submission.records.map(([type, payload]) => `${type} ${payload}`)
    return { ...submission, lines, log: [...log.lines] }
  } finally {
    log.restore()
    fixture.close()
  }
}

/** Fields 3, 4 and 6 of the size record: recipients, flags, SMTPUTF8. */
function sizeFields({ lines }: Made): string[] {
  const fields = (lines[0] ?? '').slice(2).trim().split(/ +/)
  return [fields[2] ?? '', fields[3] ?? '', fields[5] ?? '']
}

const checks = (rule: string): Record<string, string> => ({ header_checks: `regexp:{{${rule}}}` })

t.test('a header that is dropped or ignored was there all the same', async (t) => {
  const settings = { message_drop_headers: 'received, from' }
  const dropped = await make({ settings, content: ['From: a', '', 'b'] })
  t.equal(dropped.status, 0, 'a dropped Received header is no missing one')
  t.notOk(
    dropped.lines.some((line) => /^N (Received|From):/.test(line)),
    'and nothing takes the place of From',
  )
  const ignored = await make({ settings: checks('/^received/ IGNORE') })
  t.equal(ignored.status, 0)
})

t.test('headers are completed for remote clients that have a domain', async (t) => {
  const made = await make({
    settings: { remote_header_rewrite_domain: 'far.invalid' },
    envelope: [['A', 'rewrite_context=remote']],
  })
  t.ok(made.lines.some((line) => line.startsWith('N Message-Id:')))
})

t.test('blanks behind a Message-Id are logged', async (t) => {
  const made = await make({ content: ['Message-Id:  <a>  ', '', 'b'] })
  t.ok(made.log.includes(`${made.id}: message-id=<a>  `))
})

t.test('without smtputf8_enable nothing is found out about UTF-8', async (t) => {
  const made = await make({
    settings: { smtputf8_enable: 'no' },
    flags: MAIL | CLEANUP_FLAGS.autoUtf8,
    recipients: [['R', 'j\xc3\xb6rg@example.net']],
    content: ['Subject: \xc3\xb6', '', 'b'],
  })
  t.strictSame(sizeFields(made), ['1', '0', '0'])
  t.ok(made.lines.includes('A dsn_orig_rcpt=rfc822;j\xc3\xb6rg@example.net'))
})

t.test(
  'header_size_limit holds for headers that became longer, without their line ends',
  async (t) => {
    const made = await make({
      settings: { header_size_limit: '70' },
      content: [`To: ${'user, '.repeat(20)}end`, '', 'b'],
    })
    const [first, second] = made.lines.filter((line) => line.includes('user'))
    t.equal(first, 'N To: user@example.test, user@example.test, user@example.test,')
    t.equal(second, 'N \tuser@exam')
  },
)

t.test('a stray LF that is kept ends a line of a header', async (t) => {
  const made = await make({
    settings: { cleanup_replace_stray_cr_lf: 'no' },
    content: ['Subject: a\nX: b\n c', '', 'b'],
  })
  t.ok(made.lines.join('|').includes('N Subject: a|N \tX: b|N  c|'))
})

t.test('header_checks: a code of success means "later", the first REDIRECT counts', async (t) => {
  const later = await make({
    settings: checks('/^x/ REJECT 2.0.0 odd'),
    content: ['X: y', '', 'b'],
  })
  t.equal(later.status, CLEANUP_STATUS.defer)
  t.equal(later.reason, '4.0.0 odd')
  const twice = await make({
    settings: checks('/^x: a/ REDIRECT a@y.test}, {/^x: b/ REDIRECT b@y.test'),
    content: ['X: a', 'X: b', '', 'b'],
  })
  t.strictSame(
    twice.lines.filter((line) => line.startsWith('>')),
    ['> a@y.test'],
  )
})

const multipart = [
  'Content-Type: multipart/mixed; boundary=b',
  '',
  '--b',
  'X : \xe9',
  '',
  'x',
  '--b--',
]

t.test('MIME structure is that of the message as it came', async (t) => {
  const made = await make({ settings: checks('/^content-type/ IGNORE'), content: multipart })
  t.ok(made.lines.includes('N X: \xe9'), 'the header of a part is known as one')
  t.strictSame(sizeFields(made), ['1', '0', '2'], 'and its 8-bit text counts')
})

t.test('mime_nesting_limit refuses, two levels later', async (t) => {
  const level = (name: string): string[] => [
    `Content-Type: multipart/mixed; boundary=${name}`,
    '',
    `--${name}`,
  ]
  const settings = { mime_nesting_limit: '1' }
  const good = await make({ settings, content: ['a', 'b', 'c'].flatMap(level) })
  t.equal(good.status, 0)
  const bad = await make({ settings, content: ['a', 'b', 'c', 'd'].flatMap(level) })
  t.equal(bad.status, CLEANUP_STATUS.content)
  t.equal(bad.reason, '5.6.0 MIME nesting exceeds safety limit')
})

t.test('strict_8bitmime_body takes the word of a part that is encoded', async (t) => {
  const settings = { strict_8bitmime_body: 'yes' }
  const content = ['Content-Transfer-Encoding: base64', '', '\xe9']
  t.equal((await make({ settings, content })).status, 0)
  t.equal((await make({ settings, content: ['', '\xe9'] })).status, CLEANUP_STATUS.content)
})

t.test('body_checks_size_limit counts line ends, and the empty line in front', async (t) => {
  const settings = { body_checks: 'regexp:{{/./ INFO}}', body_checks_size_limit: '10' }
  const made = await make({ settings, content: ['', '12345678', 'not looked at'] })
  t.equal(made.log.filter((line) => line.includes(': info: body')).length, 1)
})

t.test('always_bcc stands before BCC actions', async (t) => {
  const settings = { ...checks('/^x/ BCC h@x.test'), always_bcc: 'all@x.test' }
  const made = await make({ settings, content: ['X: y', '', 'b'] })
  t.strictSame(
    made.lines.filter((line) => line.startsWith('R')),
    ['R to@example.net', 'R all@x.test', 'R h@x.test'],
  )
})

t.test('canonical and virtual tables are asked for quoted addresses only', async (t) => {
  const settings = {
    canonical_maps: 'regexp:{{/^a b@/ bare@x.test}}',
    virtual_alias_maps: 'regexp:{{/^"a b"@/ quoted@x.test}}',
  }
  const made = await make({ settings, recipients: [['R', 'a b@c.test']] })
  t.ok(made.lines.includes('R quoted@x.test'))
})

t.test('an alias that goes too deep is named by the recipient', async (t) => {
  const made = await make({
    settings: {
      virtual_alias_maps: 'inline:{a@x.test=b@x.test, b@x.test=a@x.test}',
      virtual_alias_recursion_limit: '3',
    },
    recipients: [['R', 'a@x.test']],
  })
  t.match(made.log.join('\n'), /unreasonable virtual_alias_maps map nesting for a@x.test --/)
})

t.test('records in odd places', async (t) => {
  const limited = await make({
    settings: { queue_file_attribute_count_limit: '3' },
    envelope: ['1', '2', '3'].map((value): TestRecord => ['A', `same=${value}`]),
  })
  t.equal(limited.status, CLEANUP_STATUS.bad, 'attributes count even if they have one name')
  const verp = await make({
    recipients: [
      ['R', 'a@b.test'],
      ['V', 'xy'],
    ],
  })
  t.strictSame(sizeFields(verp), ['1', '1', '0'], 'a VERP record behind recipients, even a bad one')
  const flags = await make({
    recipients: [
      ['R', 'a@b.test'],
      ['f', 'x'],
    ],
  })
  t.notOk(flags.log.some((line) => line.includes('extra flags')))
  const empty = await make({ extracted: [['A', 'x=']] })
  t.match(empty.log.join('\n'), /spurious null attribute value for "x" -- ignored/)
  t.notOk(empty.lines.includes('A x='))
})

t.test('default_verp_delimiters must be of verp_delimiter_filter', (t) => {
  const read = (delimiters: string) => (): unknown =>
    readSettings(MainConfig.of({ default_verp_delimiters: delimiters }))
  t.throws(read('+'), ConfigError)
  t.throws(read('x='), /bad first VERP delimiter character/)
  t.throws(read('+x'), /bad second VERP delimiter character/)
  t.doesNotThrow(read('+='))
  t.end()
})

t.test('milter_default_action decides about mail that non_smtpd_milters should see', async (t) => {
  const flags = MAIL | CLEANUP_FLAGS.milter
  const under = (action: string): Record<string, string> => ({
    non_smtpd_milters: 'inet:127.0.0.1:9',
    milter_default_action: action,
  })
  for (const action of ['tempfail', 'reject', 'shutdown']) {
    const made = await make({ settings: under(action), flags })
    t.equal(made.status, CLEANUP_STATUS.defer, action)
    t.match(made.log.join('\n'), /milter-reject: CONNECT from .*: 4\.7\.1 .*; from=<from@/)
  }
  const held = await make({ settings: under('quarantine'), flags })
  t.equal(held.queue, 'hold')
  t.match(held.log.join('\n'), /milter-hold: CONNECT from .*: milter triggers HOLD action; from=</)
  const settings = under('tempfail')
  const unharmed: Record<string, Given> = {
    accept: { settings: under('accept'), flags },
    own: { settings: { non_smtpd_milters: '{ inet:127.0.0.1:9, default_action=accept }' }, flags },
    'without the flag': { settings },
    'from smtpd(8)': { settings, flags: flags | CLEANUP_FLAGS.smtpReply },
    'Milters of smtpd(8)': { settings, flags, envelope: [['m', '0']] },
  }
  for (const [name, given] of Object.entries(unharmed)) {
    const made = await make(given)
    t.equal(made.status, 0, name)
    t.equal(made.queue, 'incoming', name)
  }
})

t.test('Milters of smtpd(8) cannot be taken over', async (t) => {
  const made = await make({ envelope: [['m', '1']] })
  t.equal(made.status, CLEANUP_STATUS.bad)
  t.match(made.log.join('\n'), /Cannot take over Milters from smtpd/)
})

t.test('what is asked of TLS stands in the size record (RFC 8689)', async (t) => {
  const wish = (options: number): TestRecord => ['C', `-1 -1 -1 -1 -1 ${options}`]
  const asks = 'N Require-TLS-ESMTP: yes'
  const cases: [string, Given, string, boolean][] = [
    ['nothing', {}, '0', false],
    ['header', { content: ['tls-required:  NO', '', 'body'] }, '16', false],
    ['another value', { content: ['TLS-Required: Yes', '', 'body'] }, '0', false],
    ['in the text', { content: ['', 'TLS-Required: No'] }, '0', false],
    [
      'header switched off',
      { settings: { tls_required_enable: 'no' }, content: ['TLS-Required: No', '', 'x'] },
      '0',
      false,
    ],
    ['submission', { envelope: [wish(32)] }, '32', true],
    ['submission, other bits', { envelope: [wish(29)] }, '0', false],
    ['flag of a client', { flags: MAIL | CLEANUP_FLAGS.requireTls }, '32', true],
    ['content filter', { content: ['Require-TLS-ESMTP: yes', '', 'body'] }, '32', true],
    [
      'header of no value',
      {
        settings: { requiretls_esmtp_header: 'no' },
        content: ['Require-TLS-ESMTP: yes', '', 'body'],
      },
      '0',
      true,
    ],
    [
      'no header',
      { settings: { requiretls_esmtp_header: 'no' }, envelope: [wish(32)] },
      '32',
      false,
    ],
    ['switched off', { settings: { requiretls_enable: 'no' }, envelope: [wish(32)] }, '0', false],
    ['both', { envelope: [wish(32)], content: ['TLS-Required: No', '', 'body'] }, '48', true],
  ]
  for (const [name, given, field, hasHeader] of cases) {
    const made = await make(given)
    t.equal(made.status, 0, name)
    t.equal(sizeFields(made)[2], field, name)
    t.equal(made.lines.filter((line) => line === asks).length, hasHeader ? 1 : 0, name)
  }
})
