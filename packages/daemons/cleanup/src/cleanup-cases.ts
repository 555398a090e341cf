/**
 * cleanup-cases - record streams for the golden test, in groups with a configuration each (for tests)
 *
 * The same streams were given to cleanup(8) of Postfix 3.7.11; cleanup.ref is what that wrote.
 */
/* eslint-disable max-lines -- a table of cases */
import type { TestRecord } from './cleanup-fixture.ts'

export interface CleanupCase {
  readonly name: string
  /** CLEANUP_FLAGS; default: filter, BCC and mapping. */
  readonly flags?: number
  readonly records: readonly TestRecord[]
}

export interface CaseGroup {
  readonly title: string
  readonly settings: Readonly<Record<string, string>>
  readonly cases: readonly CleanupCase[]
}

export const DEFAULT_FLAGS = 2 + 16 + 32
const BOUNCE = 1
const UTF8 = 256
const AUTO_UTF8 = 512

const T: TestRecord = ['T', '1795216841 5']
const X: TestRecord = ['X', '']
const E: TestRecord = ['E', '']
const M: TestRecord = ['M', '']

interface Simple {
  readonly flags?: number
  readonly context?: 'local' | 'remote'
  readonly sender?: string
  /** Addresses, or records. */
  readonly recipients?: readonly (string | TestRecord)[]
  /** Behind the rewrite context. */
  readonly envelope?: readonly TestRecord[]
  /** Without the usual From, Date and Message-Id. */
  readonly isBare?: boolean
  readonly headers?: readonly string[]
  readonly body?: readonly string[]
  readonly extracted?: readonly TestRecord[]
}

/** A message of lines. */
function simple(name: string, message: Simple = {}): CleanupCase {
  const usual = message.isBare === true ? [] : ['Message-Id: <1@x>', 'From: a@b.c', 'Date: x']
  const headers = ['Received: by x', ...usual, ...(message.headers ?? [])]
  const lines = [...headers, '', ...(message.body ?? ['b'])]
  const records: TestRecord[] = [
    T,
    ['A', `rewrite_context=${message.context ?? 'local'}`],
    ...(message.envelope ?? []),
    ['S', message.sender ?? 'a@b.c'],
    ...(message.recipients ?? ['d@e.f']).map((one): TestRecord =>
      typeof one === 'string' ? ['R', one] : one,
    ),
    M,
    ...lines.map((line): TestRecord => ['N', line]),
    X,
    ...(message.extracted ?? []),
    E,
  ]
  return message.flags === undefined ? { name, records } : { name, flags: message.flags, records }
}

/** A message whose envelope is the point. */
function envelope(name: string, records: readonly TestRecord[], flags?: number): CleanupCase {
  const content = ['Received: by x', 'From: a@b.c', 'Message-Id: <1@x>', 'Date: x', '', 'b']
  const all = records.flatMap((record): readonly TestRecord[] =>
    record[0] === 'M' ? [record, ...content.map((line): TestRecord => ['N', line])] : [record],
  )
  return flags === undefined ? { name, records: all } : { name, flags, records: all }
}

const S: TestRecord = ['S', 'a@b.c']
const R: TestRecord = ['R', 'd@e.f']
const long = (count: number, char = 'x'): string => char.repeat(count)

export const CASES: readonly CaseGroup[] = [
  {
    title: 'envelope records',
    settings: { delay_warning_time: '4h' },
    cases: [
      envelope('ordinary', [T, S, R, M, X, E]),
      envelope('first full name counts', [T, ['F', 'name'], ['F', 'name2'], S, R, M, X, E]),
      envelope('no time', [S, R, M, X, E]),
      envelope('no sender', [T, R, M, X, E]),
      envelope('two senders', [T, S, S, R, M, X, E]),
      envelope('seconds only', [['T', '1795216841'], S, R, M, X, E]),
      envelope('VERP', [T, S, ['V', '+='], R, M, X, E]),
      envelope('bad VERP', [T, ['V', '+='], S, ['V', '+'], ['V', 'xy'], R, M, X, E]),
      envelope('warning time of the client', [T, ['W', '1'], S, R, M, X, E]),
      envelope('done and cancelled', [T, S, ['O', 'o@o'], ['D', 'x@y'], ['/', 'z@y'], R, M, X, E]),
      envelope('nobody', [T, S, ['D', 'x@y'], M, X, E]),
      envelope('null sender', [T, ['S', ''], R, M, X, E]),
      envelope('nobody to empty address', [T, S, ['R', ''], M, X, E]),
      envelope('times of the client', [T, ['c', '1'], ['A', 'create_time=2'], S, R, M, X, E]),
      envelope('bad attribute', [T, ['A', 'foo'], S, R, M, X, E]),
      envelope('attributes', [T, ['A', 'foo='], ['A', 'foo = bar  '], S, R, M, X, E]),
      envelope('bad context', [T, ['A', 'rewrite_context=foo'], S, R, M, X, E]),
      envelope('DSN attributes', [
        ...([T, ['A', 'ret_flags=1'], ['A', 'envelope_id=foo'], S] as TestRecord[]),
        ...([['A', 'notify_flags=6'], ['A', 'dsn_orig_rcpt=rfc822;x'], R, M, X, E] as TestRecord[]),
      ]),
      envelope('DSN records', [
        ...([T, ['<', '2'], ['i', 'eid'], S, ['o', 'rfc822;x'], ['n', '4'], R] as TestRecord[]),
        ...([['n', '99'], ['R', 'e@e.f'], M, X, E] as TestRecord[]),
      ]),
      envelope('bad RET', [T, ['A', 'ret_flags=3'], S, R, M, X, E]),
      envelope('attributes among recipients', [T, S, R, ['A', 'x=1'], ['R', 'e@e.f'], M, X, E]),
      envelope('encoding twice', [
        T,
        S,
        ['A', 'encoding=7bit'],
        R,
        M,
        X,
        ['A', 'encoding=8bit'],
        E,
      ]),
      envelope('extracted records', [
        ...([
          T,
          S,
          R,
          M,
          X,
          ['r', 'x@y'],
          ['L', 'a:b'],
          ['>', 'c@d'],
          ['A', 'x=1'],
        ] as TestRecord[]),
        ...([['n', '2'], ['R', 'z@z.z'], ['A', 'y=1'], E] as TestRecord[]),
      ]),
      envelope('recipients from headers only', [T, S, M, X, ['A', 'notify_flags=8'], R, E]),
      envelope('sender behind the content', [T, S, R, M, X, S, E]),
      envelope('unknown type', [T, S, ['Q', '1'], R, M, X, E]),
      envelope('pointer', [T, S, ['p', '0'], R, M, X, E]),
      envelope('hold', [T, ['f', '4'], S, R, M, X, E]),
      envelope('hold at the end', [T, S, R, M, X, ['f', '4'], E]),
      envelope('discard', [T, ['f', '8'], S, R, M, X, E]),
      envelope('bad flags', [T, ['f', '16'], S, R, M, X, E]),
      envelope('NUL in addresses', [T, ['S', 'a@b.c\0x'], ['R', 'd@e.f\0y'], M, X, E]),
      envelope('duplicates', [T, S, R, R, ['R', 'D@e.f'], ['O', 'o@o.o'], R, M, X, R, E]),
    ],
  },
  {
    title: 'addresses and headers',
    settings: {},
    cases: [
      simple('addresses completed', {
        sender: 'root',
        recipients: ['user', 'user@host', 'a b@host', 'a%b', 'a!b', 'x@y.z.'],
        headers: ['To: user,  Foo <other@host>, "Q, u" <third@host.dom> (c)'],
      }),
      simple('nothing to rewrite', { headers: ['To:  u@x.y ,v@x.y', 'Cc : Foo Bar  <u@x.y>'] }),
      simple('refolded', {
        headers: [`To: ${long(40, 'a')}@host, ${long(40, 'b')}@host,`, `\t${long(20, 'c')}, d`],
      }),
      simple('remote context', { context: 'remote', isBare: true, headers: ['To: user'] }),
      simple('everything missing', { isBare: true, envelope: [['F', 'Full, Name']] }),
      simple('missing, null sender', { isBare: true, sender: '' }),
      simple('missing, resent', { isBare: true, headers: ['Resent-To: x@y.z', 'To: a@b.c'] }),
      simple('resent complete', {
        headers: ['Resent-Message-Id: <r@x>', 'Resent-From: x', 'Resent-Date: d'],
      }),
      simple('dropped', { headers: ['Bcc: x', ' y', 'Return-Path: z', 'Content-Length: 5'] }),
      simple('no header', { headers: ['not a header', 'X: y'] }),
      simple('folded message id', { isBare: true, headers: ['Message-Id:  <x>  ', ' foo'] }),
      simple('8bit header', { headers: ['X: caf\xe9'], body: ['caf\xe9'] }),
      simple('UTF-8 requested', { flags: DEFAULT_FLAGS + UTF8, recipients: ['\xc3\xa9@x.y'] }),
      simple('UTF-8 found', {
        flags: DEFAULT_FLAGS + AUTO_UTF8,
        sender: '\xc3\xa9@x.y',
        headers: ['X: \xc3\xa9'],
      }),
      simple('UTF-8 only in the body', { flags: DEFAULT_FLAGS + AUTO_UTF8, body: ['\xc3\xa9'] }),
      simple('encoding', { headers: ['Content-Transfer-Encoding: 8bit'] }),
      simple('encoding of a part', {
        headers: ['Content-Type: multipart/mixed; boundary="B B"'],
        body: ['--B B', 'content-transfer-encoding : binary', '', 'x', '--B B--', 'X : y'],
      }),
      simple('attached message', {
        headers: ['Content-Type: message/rfc822'],
        body: ['Subject  : inner', '  more', '', 'x : y'],
      }),
      simple('stray CR and LF', { headers: ['X: a\rb\nc'], body: ['a\rb', long(13), 'c\nd'] }),
      simple('NUL', { headers: ['X: a\0b', ' c\0d'], body: ['a\0b'] }),
      {
        name: 'pieces of lines',
        records: [
          ...([
            T,
            S,
            R,
            M,
            ['N', 'Received: by x'],
            ['L', 'X: a'],
            ['L', 'b'],
            ['N', 'c'],
          ] as const),
          ...([['N', ''], ['L', 'd'], ['L', 'e'], ['N', 'f'], ['L', 'g'], X, E] as const),
        ],
      },
      {
        name: 'long lines',
        records: [
          ...([T, S, R, M, ['N', 'Received: by x'], ['L', `X: ${long(2045)}`]] as const),
          ...([
            ['N', long(10)],
            ['N', `Y: ${long(2100)}`],
            ['N', ''],
          ] as const),
          ...([['N', long(5000)], ['L', long(2048)], ['N', 'z'], X, E] as const),
        ],
      },
      { name: 'no body', records: [T, S, R, M, ['N', 'Received: by x'], X, E] },
      { name: 'no Received', records: [T, S, R, M, ['N', 'From: a@b.c'], ['N', ''], X, E] },
    ],
  },
  {
    title: 'limits',
    settings: { hopcount_limit: '3', header_size_limit: '100' },
    cases: [
      simple('hops', { headers: ['Received: a', 'Received: b'] }),
      simple('long header', {
        headers: [`X: ${long(50)}`, ` ${long(40)}`, ` ${long(20)}`, 'Y: z'],
      }),
      simple('long line', { headers: [`X: ${long(150)}`, ' z', 'Y: z'] }),
    ],
  },
  {
    title: 'inspection',
    settings: {
      header_checks:
        'regexp:{ {/^X-Warn:/ WARN a warning}, {/^X-Info:/ INFO}, {/^X-Ignore:/ IGNORE}, ' +
        '{/^X-Strip:/ STRIP it}, {/^X-Hold:/ HOLD it}, {/^X-Discard:/ DISCARD it}, ' +
        '{/^X-Reject:/ REJECT}, {/^X-Later:/ REJECT 4.7.1 later}, {/^X-Own:/ REJECT own text}, ' +
        '{/^X-Filter:/ FILTER f:n}, {/^X-Redirect:/ REDIRECT r@r.r}, {/^X-Bcc:/ BCC bcc@b}, ' +
        '{/^X-Prepend:/ PREPEND X-Pre: foo}, {/^X-Replace:/ REPLACE To: repl}, ' +
        '{/^X-Bad:/ NONSENSE x}, {/^X-NoText:/ PREPEND no header}, {/^X-Pass:/ PASS now}, ' +
        '{/^Content-/ INFO mime}, {/^Subject: inner/ INFO nested} }',
      body_checks:
        'regexp:{ {/^warn/ WARN body}, {/^reject/ REJECT body}, {/^ignore/ IGNORE}, ' +
        '{/^prepend/ PREPEND more}, {/^replace/ REPLACE other} }',
    },
    cases: [
      simple('warn', {
        headers: ['X-Warn: folded', '  text', 'X-Info: 1'],
        envelope: [
          ['A', 'log_message_origin=cn[1.2.3.4]'],
          ['A', 'log_helo_name=he'],
          ['A', 'log_protocol_name=ESMTP'],
        ],
      }),
      simple('ignore and strip', { headers: ['X-Ignore: 1', ' 2', 'X-Strip: 1', 'Y: z'] }),
      simple('hold', { headers: ['X-Hold: 1', 'X-Hold: 2'] }),
      simple('discard', { headers: ['X-Discard: 1', 'X-Reject: 1'] }),
      simple('reject', { headers: ['X-Reject: 1', 'X-Warn: 1'] }),
      simple('reject with text', { headers: ['X-Own: 1'] }),
      simple('reject for now', { headers: ['X-Later: 1'] }),
      simple('filter and copies', {
        headers: ['X-Bcc: 1', 'X-Filter: 1', 'X-Redirect: 1', 'X-Bcc: 2', 'X-Filter: 2'],
        envelope: [['A', 'encoding=7bit']],
        extracted: [
          ['A', 'x=1'],
          ['R', 'r1@x.y'],
        ],
      }),
      simple('prepend and replace', { headers: ['X-Prepend: 1', 'X-Replace: 1', 'X-NoText: 1'] }),
      simple('unknown command', { headers: ['X-Bad: 1'] }),
      simple('pass', { headers: ['X-Pass: 1', 'X-Reject: 1'], body: ['reject'] }),
      simple('without the filter flag', { flags: 48, headers: ['X-Reject: 1'], body: ['reject'] }),
      simple('body', { body: ['warn', 'prepend', 'replace', 'ignore', 'last'] }),
      simple('reject body', { body: ['reject'] }),
      simple('parts', {
        headers: ['Content-Type: multipart/mixed; boundary=b'],
        body: [
          ...['--b', 'Content-Type: message/rfc822', '', 'Subject: inner', 'X-Warn: n', '', 'warn'],
          ...['--b', 'X-Ignore: 1', 'X-Warn : part', '', 'warn', '--b--'],
        ],
      }),
    ],
  },
  {
    title: 'canonical maps',
    settings: {
      canonical_maps:
        'inline:{ can@x.y=new@n.n, @dom.x=@cdom.y, bare=bare@n.n, loop1@x.y=loop2@x.y, ' +
        'loop2@x.y=loop1@x.y, chain@x.y=chain2@x.y, chain2@x.y=end@x.y, short@x.y=mapped, ' +
        '{quoted@x.y="a b"@c.d}, {name@x.y=Full Name <fn@x.y>} }',
      sender_canonical_maps: 'inline:{ s@x.y=sender@x.y }',
      recipient_canonical_maps: 'inline:{ s@x.y=recipient@x.y }',
    },
    cases: [
      simple('envelope', {
        sender: 'can@x.y',
        recipients: ['can+e@x.y', 'u+e@dom.x', 'bare', 'bare@localhost', 'Can@X.Y', 'loop1@x.y'],
      }),
      simple('results', { recipients: ['chain@x.y', 'short@x.y', 'quoted@x.y', 'name@x.y'] }),
      simple('headers', { headers: ['To: can@x.y, Foo <u@dom.x>, bare, quoted@x.y, name@x.y'] }),
      simple('senders and recipients', {
        sender: 's@x.y',
        recipients: ['s@x.y'],
        headers: ['To: s@x.y', 'Reply-To: s@x.y', 'Resent-Reply-To: s@x.y'],
      }),
      simple('remote', { context: 'remote', recipients: ['can@x.y'], headers: ['To: can@x.y'] }),
      simple('without the map flag', {
        flags: 18,
        recipients: ['can@x.y'],
        headers: ['To: can@x.y'],
      }),
    ],
  },
  {
    title: 'virtual aliases',
    settings: {
      virtual_alias_maps:
        'inline:{ v1@x.y=a@b.c, {v2@x.y=t1@b.c, t2@b.c, t1@b.c}, loop@x.y=loop2@x.y, ' +
        'loop2@x.y=loop@x.y, {self@x.y=self@x.y, other@b.c}, @wild.x=@dest.y, un@x.y=plain, ' +
        '{q@x.y="a b"@c.d, Foo Bar <foo@bar.x>}, {ch@x.y=v2@x.y, z@z.z}, {grp@x.y=g: a@b.c, d@e.f;} }',
      virtual_alias_address_length_limit: '60',
    },
    cases: [
      simple('one', { recipients: ['v1@x.y', 'V1@X.Y', 'un@x.y', 'foo+bar@wild.x'] }),
      simple('several', { recipients: ['ch+e@x.y', 'q@x.y', 'grp@x.y'] }),
      simple('itself', { recipients: ['self@x.y'] }),
      simple('loop', { recipients: ['loop@x.y'] }),
      simple('too long', { recipients: [`${long(61)}@wild.x`] }),
      simple('DSN', {
        recipients: [
          ['A', 'notify_flags=6'],
          ['A', 'dsn_orig_rcpt=rfc822;foo'],
          ['R', 'v1@x.y'],
        ],
      }),
      simple('DSN success only', {
        recipients: [
          ['A', 'notify_flags=2'],
          ['R', 'v2@x.y'],
        ],
      }),
      simple('without the map flag', { flags: 18, recipients: ['v1@x.y'] }),
    ],
  },
  {
    title: 'masquerading and automatic copies',
    settings: {
      masquerade_domains: '!foo.example.com example.com',
      masquerade_exceptions: 'root',
      sender_bcc_maps: 'inline:{ a@b.c=sbcc@s.s }',
      recipient_bcc_maps: 'inline:{ d@e.f=rbcc@r.r, @x.y=rdom@r.r }',
      always_bcc: 'always',
    },
    cases: [
      simple('masquerading', {
        sender: 'u@sub.example.com',
        recipients: ['u@sub.example.com'],
        headers: [
          'To: u@sub.example.com, u@a.foo.example.com, root@sub.example.com, u@Example.com',
        ],
      }),
      simple('copies', { recipients: ['d@e.f', 'one@x.y', 'two@x.y'] }),
      simple('copies of extracted', { recipients: [], extracted: [['R', 'd@e.f']] }),
      simple('no copies for the null sender', { sender: '' }),
      simple('without the BCC flag', { flags: 34 }),
    ],
  },
  {
    title: 'options',
    settings: {
      always_add_missing_headers: 'yes',
      undisclosed_recipients_header: 'To: undisclosed-recipients:;',
      remote_header_rewrite_domain: 'domain.invalid',
      header_from_format: 'obsolete',
      enable_original_recipient: 'no',
      message_drop_headers: 'x-drop, subject',
      message_reject_characters: '\\0',
      message_strip_characters: '\\001',
    },
    cases: [
      simple('missing headers of strangers', {
        context: 'remote',
        isBare: true,
        envelope: [['F', 'Full (x) Name']],
      }),
      simple('headers of strangers', { context: 'remote', headers: ['To: x, root@host'] }),
      simple('dropped', { headers: ['Bcc: b@c.d', 'Subject: x', 'X-Drop: y', ' z'] }),
      simple('duplicates', { recipients: ['d@e.f', ['O', 'foo@bar'], ['R', 'd@e.f']] }),
      simple('stripped', { headers: ['X: a\x01b'], body: ['c\x01d'] }),
      simple('refused', { body: ['a\0b'] }),
    ],
  },
  {
    title: 'tables out of order',
    settings: { header_checks: 'fail:x' },
    cases: [simple('header checks'), simple('header checks, bounce', { flags: 50 + BOUNCE })],
  },
  {
    title: 'aliases out of order',
    settings: { virtual_alias_maps: 'fail:x' },
    cases: [simple('virtual aliases')],
  },
  {
    title: 'strict MIME',
    settings: { strict_8bitmime: 'yes', strict_mime_encoding_domain: 'yes' },
    cases: [
      simple('8bit header', { headers: ['X: caf\xe9'] }),
      simple('8bit body', { body: ['caf\xe9'] }),
      simple('8bit body that says so', {
        headers: ['Content-Transfer-Encoding: 8bit'],
        body: ['caf\xe9'],
      }),
      simple('encoded multipart', {
        headers: ['Content-Type: multipart/mixed; boundary=b', 'Content-Transfer-Encoding: base64'],
      }),
      simple('8bit part', {
        headers: ['Content-Type: multipart/mixed; boundary=b'],
        body: ['--b', 'Content-Transfer-Encoding: 8bit', '', '\xe9', '--b', '', '\xe9'],
      }),
    ],
  },
]
