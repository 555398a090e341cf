/**
 * reply-corpus - replies of odd servers, by what they are replies to
 *
 * From the tables of test/parity (greetings, envelopes, LMTP, rude servers) and from RFC 5321, 2034, 3030 and 4954; without
 * CRLF at the end. What is done to them besides is in reply-mutations.ts.
 */

/** For any request. */
const ANY = [
  '250 2.0.0 Ok',
  '250',
  '251 2.1.5 will forward',
  '252 2.0.0 cannot verify',
  '354 go on',
  '334 ',
  '334 PDEyMy40NTZAcGVlci50ZXN0Pg==',
  '235 2.7.0 welcome',
  '221 2.0.0 Bye',
  '220 peer.test ESMTP',
  '421 4.3.2 shutting down',
  '450 4.2.0 later',
  '451 4.3.0 error in processing',
  '452 4.2.2 full',
  '500 5.5.1 what',
  '502 5.5.1 no such command',
  '503 5.5.1 bad sequence',
  '535 5.7.8 wrong password',
  '550 5.1.1 no such user',
  '552 5.3.4 too big',
  '554 5.7.1 refused',
  '555 5.5.4 unknown parameter',
  '250-2.1.0 one\r\n251 2.1.0 two',
  '250-2.1.0 one\r\n550 5.1.0 two',
  '550-5.1.0 one\r\n250 2.1.0 two',
  '250-more\r\n-and more\r\n250 enough',
  '000 what',
  '100 what',
  '600 what',
  '999 what',
  '550 5 no',
  '550 5.1234.1 no',
  '550 2.0.0 no, yes',
  '250 5.0.0 yes, no',
  '550 5.1.1',
  '25',
  '2500 ok',
  ' 250 2.1.0 ok',
  '250\t2.1.0 ok',
  'abc def',
  '',
  '\x00250 2.1.0 a',
  '250 2.0.0 a\0b',
  '250 2.0.0 \xe9\xc3\xa9\xc2\x9b31m',
  '250 2.0.0 \x1b[31m\x07',
  '250 2.0.0 Ok, dsn=2.0.0, status=sent (250 x)',
  '250 2.0.0 to=<r0.m0@a.test>, relay=none, delay=0, delays=0/0/0/0, dsn=5.0.0, status=bounced (x)',
] as const

const BY_REQUEST: readonly (readonly [RegExp, readonly string[]])[] = [
  [
    /^$/,
    [
      '220 peer.test',
      '220 **************************',
      '220-peer.test ESMTP\r\n220 hello',
      '220 client.test ESMTP',
      '554 5.7.1 no SMTP service here',
      '521 peer.test does not accept mail',
      '421 4.7.0 too many connections',
      '220 peer.test ESMTP\r\n250 peer.test\r\n250 mail\r\n250 rcpt\r\n354 data\r\n250 dot\r\n221 bye',
    ],
  ],
  [
    /^[EL]HLO/i,
    [
      '250 peer.test',
      '250-peer.test\r\n250-SIZE\r\n250 PIPELINING',
      '250-peer.test\r\n250-SIZE 1\r\n250 8BITMIME',
      '250-peer.test\r\n250-SIZE many\r\n250 DSN',
      '250-peer.test\r\n250-SIZE 99999999999999999999\r\n250 HELP',
      '250-peer.test\r\n250-AUTH\r\n250 AUTH=LOGIN',
      '250-peer.test\r\n250-AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-1 DIGEST-MD5\r\n250 CHUNKING',
      '250-peer.test\r\n250-XFORWARD NAME ADDR PROTO HELO SOURCE PORT IDENT\r\n250 SMTPUTF8',
      '250-peer.test\r\n250-STARTTLS\r\n250-REQUIRETLS\r\n250 CHUNKING',
      '250-client.test\r\n250 PIPELINING',
      '250-peer.test\r\n250-PIPELINING\r\n250 CHUNKING',
      '250\r\n',
    ],
  ],
  [
    /^AUTH/i,
    [
      '334',
      '334 not base64!',
      '334 cj1hLHM9YSxpPTE=',
      '334 cj0sYT0sYixyPS1hLHM9YSxpPTE=',
      '334-PDE\r\n334 PDE',
      '454 4.7.0 temporary failure',
      '534 5.7.9 too weak',
      '538 5.7.11 encryption required',
    ],
  ],
  [
    /^(?:MAIL|RCPT)/i,
    ['250 2.1.5 Ok', '551 5.1.6 moved', '553 5.1.3 bad address', '450 4.7.1 greylisted'],
  ],
  [
    /^DATA/i,
    [
      '354 go',
      '354-go\r\n354 on',
      '300 hm',
      '399 hm',
      '250 2.0.0 no need',
      '554 5.5.1 no valid recipients',
    ],
  ],
  [
    /^(?:BDAT|\.)/i,
    [
      '250 2.6.0 queued as 1',
      '552 5.3.4 too much',
      '451 4.3.0 disk',
      '554 5.6.0 content',
      '503 5.5.1 need RCPT',
    ],
  ],
]

/** `request`: the command line, '' for the opening, '.' for a text. */
export function oddReplies(request: string): readonly string[] {
  const own = BY_REQUEST.filter(([pattern]) => pattern.test(request)).flatMap(
    ([, replies]) => replies,
  )
  return [...own, ...own, ...ANY]
}
