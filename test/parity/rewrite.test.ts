/**
 * rewrite - trivial-rewrite(8) of both systems completes addresses alike
 *
 * Needs root and Postfix 3.7.
 */
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { compareAnswers, type Questions } from './rewrite-questions.ts'

const directory = await mkdtemp(join(tmpdir(), 'parity-origin-'))
t.teardown(async () => rm(directory, { recursive: true }))
await chmod(directory, 0o755)
/** As Debian's main.cf has it: a file whose first line is the origin. */
const mailname = join(directory, 'mailname')
await writeFile(mailname, ' Origin.TEST\nsecond\n')

const FORMS = [
  ...[
    'user',
    'user@',
    'user@host',
    'user@host.',
    'user@host..',
    'user@example.test',
    'user@Example.TEST.',
    'user@.host',
  ],
  ...[
    'user@host.sub',
    '@',
    '@host',
    '@@',
    'user@@host',
    'a@b@c',
    'a@b@c.test',
    'user@[1.2.3.4]',
    'user@[1.2.3.4',
    'user@[1.2.3.4].',
  ],
  ...[
    'user@1.2.3.4',
    'user@[IPv6:::1]',
    'user@[ipv6:2001:db8::1]',
    'user@[]',
    'user@[x',
    '.user',
    'user.',
    'us..er',
    '.user@host',
    'user.@host',
  ],
  ...[
    'site!user',
    'site.test!user',
    'a!b!user',
    'site!user@host',
    '!user',
    'site!',
    '!',
    '!!',
    'a!b%c',
    'a%b!c',
    'a!b@c%d',
  ],
  ...[
    'user%site',
    'user%site.test',
    'user%a%b',
    'user%site@host',
    '%site',
    'user%',
    '%',
    '%%',
    'user%@host',
    'user%host.',
    'user%[1.2.3.4]',
  ],
  ...[
    '@a:user@b',
    '@a,@b:user@c',
    '@a,@b:user',
    '@a:user',
    '@a.test:"q r"@b',
    '@a',
    '@a,b:c@d',
    '@a@b:c@d',
    '@:x@y',
  ],
  ...[
    '"us er"',
    '"us er"@host',
    '"user@host"',
    '"user@host"@here',
    '"a!b"',
    '"a%b"',
    '"a\\"b"@host',
    '"a\\\\b"',
    '"user"',
    '"user"@host',
    '"user',
    '"a\tb"@c',
    '"a\nb"',
    'us\\er@host',
    'us\\ er@host',
    '""',
    '""@host',
    '"',
    '"@host',
    '"a b',
  ],
  ...[
    'us er@host',
    ' user@host ',
    'user @ host',
    'user@ho st',
    'user @host',
    'user\t@host',
    'user (c)@host',
    '(c) user@host',
    'Name <user@host>',
    '<user@host>',
    '<>',
    'a, b@c',
    'a;b@c',
    'a:b@c',
    'a:b',
    'user@host (c)',
    '[x]@y',
    'a>b@c',
    'a)b@c',
    'a]b@c',
  ],
  ...[
    'j\xc3\xb6rg',
    'j\xc3\xb6rg@h\xc3\xb6st',
    '\xe9@host',
    'x@\xe9',
    'user+ext',
    'user+ext@host',
    '-user',
    '-user@host',
    'a\x01b@c',
    'a\x7fb@c',
  ],
  ...[
    'postmaster',
    'MAILER-DAEMON',
    'double-bounce',
    'owner-list',
    'a/b@c',
    'a|b',
    '/file/name',
    '|command',
    ':include:/x',
    "o'x@y",
    '#x@y',
    '{x}@y',
    'x=y@z',
    '~x',
  ],
  ...[
    `${'l'.repeat(300)}@host`,
    `user@${'h'.repeat(300)}`,
    `user@${'d.'.repeat(150)}x`,
    `${'x!'.repeat(100)}u`,
    `u${'%x'.repeat(100)}`,
  ],
]

const rewriting: Questions[] = [
  {},
  { append_dot_mydomain: 'yes' },
  { append_at_myorigin: 'no' },
  { swap_bangpath: 'no' },
  { allow_percent_hack: 'no' },
  { swap_bangpath: 'no', allow_percent_hack: 'no', append_dot_mydomain: 'yes' },
  { remote_header_rewrite_domain: 'far.invalid', append_dot_mydomain: 'yes' },
  { remote_header_rewrite_domain: 'far.invalid', append_dot_mydomain: 'no' },
  { recipient_delimiter: '+', smtputf8_enable: 'no' },
  { myorigin: '[10.0.0.1]' },
  { myorigin: mailname },
].map((main) => ({
  main: main,
  questions: FORMS.flatMap((form) => [`local ${form}`, `remote ${form}`]),
}))

t.setTimeout(120_000)
t.test('rewriting', async (t) => compareAnswers(t, rewriting))
