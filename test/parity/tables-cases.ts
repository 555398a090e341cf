/**
 * tables-cases - lookup tables, good and bad, and keys that both systems are asked for
 */

export interface TableCase {
  /** `type:`, which is asked with a file of this text; or the whole reference, when there is no text. */
  readonly table: string
  readonly text?: string
  readonly keys: readonly string[]
}

/** Keys and values as postmap(1) reads them. */
const TEXT_CASES: readonly TableCase[] = [
  {
    table: 'texthash:',
    text: `# comment
key value
KEY2\tValue Two
  continued   here
# a comment in between

\tand here
"quoted key" v1
"quoted\\"inner" v2
esc\\ aped v3
  # indented comment, then
noval
noval2\x20\x20
key duplicate
Key again
name: alias
@example.com domain
user@Example.COM address
dup1 a
dup1 b
"unbalanced x
tail x # no comment
crlf value\r
\xc3\xa4 umlaut
\xc3\x84 UMLAUT
"" empty key
comma,key a,b
long ${'x '.repeat(3000)}end`,
    keys: [
      ...[
        'key',
        'KEY',
        'Key2',
        'quoted key',
        '"quoted key"',
        'QUOTED KEY',
        'quoted"inner',
        'esc aped',
      ],
      ...[
        'esc\\ aped',
        'noval',
        'name',
        'name:',
        '@example.com',
        'user@example.com',
        'USER@EXAMPLE.COM',
      ],
      ...['dup1', 'unbalanced', 'unbalanced x', 'tail', 'crlf', '\xc3\xa4', '\xc3\x84'],
      ...['comma,key', 'comma', 'long', 'nosuch', 'example.com', '#', '# comment'],
    ],
  },
  { table: 'texthash:', text: '', keys: ['a'] },
  { table: 'texthash:', text: '  stray start\nnext line\n', keys: ['stray', 'next'] },
  { table: 'texthash:', text: 'nul\x00key value\nother va\x00lue\n', keys: ['nul', 'other'] },
  { table: 'texthash:/no/such/file', keys: ['a'] },
  { table: 'texthash:/tmp', keys: ['a'] },
]

const INLINE_CASES: readonly TableCase[] = [
  ...[
    'inline:{a=b}',
    'inline:{ a = b }',
    'inline:{{ a = b c }, d=e, { f = }}',
    'inline:{a=b, a=c}',
    'inline:{a=}',
    'inline:{a}',
    'inline:{}',
    'inline:{ }',
    'inline:a=b',
    'inline:{a=b',
    'inline:{a=b}x',
    'inline:{{a=b}x}',
    'inline:{{a = {b c} d}}',
    'inline:{A=b, {"x y"=c}}',
    'inline:{{x y = c}}',
    'static:x',
    'static:{ x  y }',
    'static:{x}y',
    'static:{x',
    'static:',
    'static:{}',
    'static:{{a}}',
    'fail:x',
    'fail:',
    'environ:x',
    'randmap:{x}',
    'randmap:{x,x}',
    'randmap:{{x y}}',
    'randmap:{}',
    'randmap:x',
    'randmap:{x',
    'internal:x',
    'unionmap:{static:a, inline:{a=b}}',
    'unionmap:{inline:{a=b}, inline:{a=c}, inline:{d=e}}',
    'unionmap:{inline:{q=b}}',
    'unionmap:{fail:x, static:a}',
    'unionmap:{inline:{a=b}, fail:x}',
    'unionmap:{}',
    'unionmap:static:a',
    'unionmap:{foo}',
    'unionmap:{foo:bar}',
    'unionmap:{{static:a}}',
    'pipemap:{inline:{a=b}, inline:{b=c}}',
    'pipemap:{inline:{a=x}, inline:{b=c}}',
    'pipemap:{inline:{q=x}, fail:x}',
    'pipemap:{inline:{a=x}, fail:x}',
    'pipemap:{static:a, regexp:{{/(a)/ <$1>}}}',
    'pipemap:{}',
    'pipemap:{foo:bar}',
    'pipemap:inline:{a=b}',
    'foo:bar',
    ':bar',
    'hash:',
    'unix:passwd.byname',
    'unix:group.byname',
    'unix:foo',
  ].map((table) => ({
    table,
    keys: ['a', 'A', 'd', 'f', '"x y"', 'x y', 'x', 'HOME_NOT_SET', 'root', 'ROOT', 'nobody'],
  })),
]

const CIDR_CASES: readonly TableCase[] = [
  {
    table: 'cidr:',
    text: `# comment
10.0.0.0/8 ten
  more
10.1.0.0/16 never
192.168.1.1 one
192.168.2.1/24 bits
192.168.3.0/33 length
192.168.4.0/x mask
192.168.5.0/ nomask
300.1.1.1 octet
1.2.3 short
foo name
!172.16.0.0/12x negbad
2001:db8::/32 doc
2001:db8:1::1/32 bits6
[2001:db9::1] brackets
[2001:dba::]/32 brackets-outside
[2001:dbb::/32] brackets-inside
2001:DBC::1 upper
::ffff:1.2.3.4 mapped
::1 loop
fe80::%eth0/64 zone
fe80::1 link
192.168.6.0/24
if 172.16.0.0/12
  172.16.1.1 indented
172.16.1.2 inside
if !172.16.2.0/24
172.16.3.0/24 nested
172.16.2.0/24 impossible
endif
!172.16.2.1 not-that-one
endif
IF 100.64.0.0/10
100.64.0.1 upper if
ENDIF
endif
if 203.0.113.0/24 extra
203.0.113.1 x
endif extra
endif
if foo
1.1.1.1 after bad if
endif
0.0.0.0/0 any4
`,
    keys: [
      ...[
        '10.1.2.3',
        '11.1.2.3',
        '192.168.1.1',
        '192.168.2.7',
        '192.168.6.1',
        '172.16.1.1',
        '172.16.1.2',
      ],
      ...[
        '172.16.3.9',
        '172.16.2.1',
        '172.16.2.9',
        '172.20.0.1',
        '100.64.0.1',
        '100.64.0.2',
        '203.0.113.1',
      ],
      ...[
        '1.1.1.1',
        '2001:db8::5',
        '2001:DB8:0:0::5',
        '2001:db9::1',
        '[2001:db9::1]',
        '2001:dba:1::',
        '::1',
      ],
      ...[
        '2001:dbb::9',
        '2001:dbc::1',
        '::ffff:1.2.3.4',
        '1.2.3.4',
        'fe80::1',
        'fe80::1%eth0',
        'foo',
      ],
      ...['1.2.3', '01.2.3.4', '1.2.3.4.5', '1.2.3.4 ', '::', '2001:db8:::1'],
    ],
  },
  {
    table: 'cidr:',
    text: '!10.0.0.0/8 not ten\n! 1.2.3.4 spaced\n!!1.1.1.1 twice\n',
    keys: ['10.1.1.1', '9.9.9.9', '1.1.1.1', '::1'],
  },
  {
    table: 'cidr:',
    text: 'if 10.0.0.0/8\n10.1.1.1 x\nif 10.2.0.0/16\n10.2.1.1 y\n',
    keys: ['10.1.1.1', '10.2.1.1'],
  },
  { table: 'cidr:', text: '1.2.3.4 a $1 b\n  c\n', keys: ['1.2.3.4'] },
  { table: 'cidr:{{10.0.0.0/8 x y}}', keys: ['10.1.1.1'] },
  { table: 'cidr:{{10.0.0.0/8 x} y}', keys: ['10.1.1.1'] },
  {
    table: 'cidr:{{if 10.0.0.0/8}, {10.1.1.1 a}, {endif}, {0.0.0.0/0 b}}',
    keys: ['10.1.1.1', '10.2.2.2'],
  },
  { table: 'cidr:{10.0.0.0/8 x}', keys: ['10.1.1.1'] },
  { table: 'cidr:{', keys: ['10.1.1.1'] },
  { table: 'cidr:{}', keys: ['10.1.1.1'] },
  { table: 'cidr:/no/such', keys: ['10.1.1.1'] },
]

export const PLAIN_CASES = [...TEXT_CASES, ...INLINE_CASES]
export const CIDR_TABLES = CIDR_CASES
