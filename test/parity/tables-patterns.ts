/**
 * tables-patterns - tables of regular expressions, and keys that both systems are asked for
 */
import type { TableCase } from './tables-cases.ts'

/** For regexp and pcre alike. */
function patternCases(type: string): TableCase[] {
  return [
    {
      table: `${type}:`,
      text: `# comment
/^plain$/ found
/^two$/  two  words\x20\x20
  continued
/^(a)(b)?(c)$/ 1=$1 2=\${2} 3=$(3) $$ \${1}x
/^order/ first
/^order/ second
/^case$/i exact
/^[/]x/ bracket slash
/^es\\/caped/ slash
|^pipe/here$| other delimiter
!/./ empty key
m/wrong/ x
/unterminated
/no result/
/bad[/ x
/bad(/ x
/bad index$/ $4 $0
/index (x)/ $2
/name (x)/ $x
/dollar/ $
/dollars/ a$$b $$1
/empty braces/ \${}
/flag/q x
/flags/mix on off
!/(neg)|.../ $1
/^sp ace$/ space
/^tab\\t/ tab
/nothing/\x20\x20\x20
`,
      keys: [
        ...[
          'plain',
          'PLAIN',
          'xplain',
          'two',
          'abc',
          'ac',
          'order',
          'case',
          'CASE',
          '/x',
          'es/caped',
        ],
        ...[
          'pipe/here',
          'wrong',
          'unterminated',
          'no result',
          'bad',
          'bad index',
          'index x',
          'name x',
        ],
        ...[
          'dollar',
          'dollars',
          'empty braces',
          'flag',
          'flags',
          'FLAGS',
          'sp ace',
          'nothing',
          'user@example.com',
        ],
      ],
    },
    {
      table: `${type}:`,
      text: `if /^a/
/b$/ ab
if !/x/
/c$/ ac without x
endif
/c$/ ac with x
endif
endif
if /^q/ extra
/w$/ qw
endif extra
IF /^z/
/z$/ zz
ENDIF
if !/^z/
/^never/ not z
endif
if
/alone/ x
endif
if /bad(/
/in bad/ x
endif
/./ any
if /open/
/x/ y
`,
      keys: ['ab', 'axc', 'ac', 'ad', 'qw', 'zz', 'zy', 'never', 'alone', 'in bad', 'open x', 'b'],
    },
    {
      table: `${type}:`,
      text: `/^(.*)@(.*)\\.(com|org)$/ $2/$1 \${3}
/^([^@]+)$/ local $1
/^(a*)*$/ x
`,
      keys: ['User@Example.COM', 'x.y@a.b.org', 'aaa', 'A B', '@', 'x@y.net', 'a@b@c.com'],
    },
    { table: `${type}:{{/a/ x, y}, {/b/ z}}`, keys: ['a', 'b', 'c'] },
    { table: `${type}:{{if /a/}, {/b/ z}, {endif}}`, keys: ['ab', 'b'] },
    { table: `${type}:{/a/ x}`, keys: ['a'] },
    { table: `${type}:{`, keys: ['a'] },
    { table: `${type}:/no/such`, keys: ['a'] },
    { table: `${type}:`, text: '  /stray/ x\n/next/ y\n', keys: ['stray', 'next'] },
  ]
}

/** What POSIX has and JavaScript has not, or has otherwise. */
const POSIX_PATTERNS: readonly string[] = [
  '/[[:alnum:]]+/ $0',
  '/^([[:digit:]]{2,3})-x$/ $1',
  '/^x{2}$/ two',
  '/^x{,2}$/ upto',
  '/^a{$/ brace',
  '/^a{1$/ brace',
  '/^{a$/ lead',
  '/^a}$/ close',
  '/^[]x]+$/ bracket',
  '/^[^]x]+$/ not bracket',
  '/^[a-]+$/ dash',
  '/^[a\\]+$/ backslash',
  '/^[[.hyphen.]x]+$/ collating',
  '/^[[=a=]]+$/ class',
  '/^[[:foo:]]$/ unknown',
  '/^[z-a]$/ range',
  '/\\<word\\>/ word',
  '/\\bword\\b/ word b',
  '/^\\w+\\W\\s\\S$/ gnu',
  '/^a|b$/ alt',
  '/^(a|ab)(c|bcd)(d*)$/ $1:$2:$3',
  '/^(x*)(x*)$/ $1|$2',
  '/()/ empty group',
  '/(a)|(b)/ $1 $2',
  '/a**/ star star',
  '/*a/ leading star',
  '/^*a/ anchored star',
  '/+a/ leading plus',
  '/?a/ leading question',
  '/(*a)/ group star',
  '/a|*b/ alt star',
  '/(|a)/ empty alternative',
  '/a||b/ double',
  '/^(a)\\1$/ back reference',
  '/a\\/ trailing',
  '/\\d+/ digit escape',
  '/\\n/ n',
  '/\\t/ t',
  '/a.b/ dot',
  '/(?:a)/ perl group',
  '/(?i)a/ perl option',
  '/a*?b/ lazy',
  '/a++/ possessive',
  '/^$/ nothing',
  '/$/ end',
  '/^/ begin',
  '/a^b/ inner caret',
  '/a$b/ inner dollar',
  '/\\`a/ buffer start',
  "/a\\'/ buffer end",
  '/\\.com$/ dot',
  '/(a(b(c)))/ $3$2$1',
  '/^[\\d]$/ literal d',
  '/\xc3\xa4/ utf8',
  '/^.$/ one',
  '/^..$/ two',
  '/[[:upper:]]/i upper',
  '/[[:upper:]]/ upper folded',
  '/^A$/i exact A',
  '/a+b/x basic plus',
  '/a\\+b/x basic escaped plus',
  '/\\(a\\)\\{2\\}/x basic group',
  '/(a)/x basic parentheses',
  '/*a/x basic star',
  '/\\(*a\\)/x basic group star',
  '/a\\|b/x basic alternative',
  '/^a*$/x basic anchors',
  '/a^b$c/x basic inner anchors',
  '/\\(^a\\)/x basic group anchor',
]

const POSIX_KEYS: readonly string[] = [
  ...[
    'a',
    'b',
    'A',
    'ab',
    'aab',
    'aaa',
    'abcd',
    'xx',
    'xxx',
    '12-x',
    '1234-x',
    'a{',
    'a{1',
    '{a',
    'a}',
  ],
  ...[
    ']x',
    'yz',
    'a-a',
    'a\\',
    '-x',
    'word',
    'a word here',
    'sword',
    'ab, c',
    '*a',
    '+a',
    '?a',
    'abc',
  ],
  ...['d', '123', 'n', 't', 'axb', 'a^b', 'a$b', 'x.com', 'xcom', 'w.com', '\xc3\xa4', 'a+b'],
  ...['(a)', 'aa', 'a|b', 'a^b$c', 'foo', '(?:a)', 'bcd'],
]

/** Perl's, which PCRE and JavaScript have otherwise. */
const PERL_PATTERNS: readonly string[] = [
  '/\\A(a)\\Z/ $1',
  '/^a\\z/ z',
  '/\\h+x/ h',
  '/(?P<n>b)c/ $1',
  '/(?<n>b)d/ $1',
  '/(?i)ABC/i abc',
  '/(?-i)ABD/ abd',
  '/a(?i)be/i scoped',
  '/(?:a)(b)f/ $1',
  '/a(?=g)/ ahead',
  '/a(?!g)h/ not ahead',
  '/(?<=a)i/ behind',
  '/(?<!a)j/ not behind',
  '/(?>a+)k/ atomic',
  '/a++l/ possessive',
  '/a*+m/ possessive star',
  '/(a)\\g1n/ g reference',
  '/(a)\\g{1}o/ g braces',
  '/\\Qa.b\\Er/ quoted',
  '/[[:alpha:]\\d]+s$/ class',
  '/[\\w.-]+@t/ set',
  '/[^\\d]u/ not digit',
  '/\\x41v/ hex',
  '/\\x{41}w/ hex braces',
  '/\\N+x$/ N',
  '/a # note\n/x x',
  '/a b y/x extended',
  '/^z/m lines',
  '/a.z/s dot',
  '/b/A anchored',
  '/c$/E end',
  '/(d+)(d*)/U $1',
  '/(e+?)(e*)/U $1',
  '/a\\K(f)/ keep $1',
  '/[]i]/ bracket',
  '/[^]j]k/ not bracket',
  '/a{,2}l/ upto',
  '/a{2}m/ two',
  '/a{x}n/ literal brace',
  '/\\oo/ bad escape',
  '/\\y/ unknown escape',
  '/[z-a]/ bad range',
  '/(?P=n)/ bad reference',
  '/(?<n>a)(?P=n)q/ named',
  '/\\1(a)/ forward',
  '/(?#comment)r/ comment',
  '/a(?x) b s/ inline x',
  '/\\Gt/ G',
  '/\\Bu/ not boundary',
  '/\\cA/ control',
  '/\\0/ nul',
  '/\\e\\a\\f/ escapes',
  '/[\\b]/ backspace',
  '/^[\\h]+$/ h in set',
  '/[[:^alpha:]]v/ negated class',
  '/[[:word:]]w$/ word class',
  '/a$/ dollar',
  '/\xc3\xa4/ utf8',
  '/^.$/ one',
]

const PERL_KEYS: readonly string[] = [
  ...[
    'a',
    '  x',
    'bc',
    'bd',
    'ABC',
    'abc',
    'ABD',
    'abd',
    'aBE',
    'abf',
    'ag',
    'ah',
    'ai',
    'j',
    'aj',
    'aak',
  ],
  ...[
    'aal',
    'aam',
    'aan',
    'aao',
    'ap',
    'bp',
    'aabbq',
    'abq',
    'a.br',
    'axbr',
    'x1s',
    'a.b-c@t',
    'xu',
    '1u',
  ],
  ...[
    'Av',
    'Aw',
    'xxx',
    'a b y',
    'aby',
    'z',
    'axz',
    'b',
    'ab',
    'c',
    'ddd',
    'eee',
    'af',
    'gg',
    'abh',
    'ch',
  ],
  ...[
    'i',
    ']',
    'xk',
    'aal',
    'aam',
    'a{x}n',
    'oo',
    'y',
    '-p',
    '5p',
    'aaq',
    'r',
    'abs',
    'a b s',
    't',
    'xuu',
  ],
  ...['\x01', '\x08', '1v', 'aw', '\xc3\xa4'],
]

/** One rule per table: what one says of its pattern must not hide what another does. */
function ruleByRule(type: string, rules: readonly string[], keys: readonly string[]): TableCase[] {
  return rules.map((rule) => ({ table: `${type}:`, text: `${rule}\n`, keys }))
}

export const REGEXP_CASES = [
  ...patternCases('regexp'),
  ...ruleByRule('regexp', POSIX_PATTERNS, POSIX_KEYS),
]
export const PCRE_CASES = [...patternCases('pcre'), ...ruleByRule('pcre', PERL_PATTERNS, PERL_KEYS)]
