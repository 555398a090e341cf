import t from 'tap'
import { parseDiscardedKeywords, parseEhloReply } from './ehlo-reply.ts'
import { FEATURES } from './features.ts'
import { encodeUtf8Xtext, encodeXtext } from './xtext.ts'

t.test('parseEhloReply() reads keywords in any case', (t) => {
  const text =
    '250-mx.test Hello\n250-size 1000\n250-Pipelining\n250-AUTH=PLAIN\n250-XFORWARD NAME addr SOURCE\n250-CHUNKING\n250-RequireTLS\n250 DSN'
  t.same(parseEhloReply(text, new Set()), {
    serverName: 'mx.test',
    features:
      FEATURES.size |
      FEATURES.pipelining |
      FEATURES.auth |
      FEATURES.xforwardName |
      FEATURES.xforwardAddress |
      FEATURES.xforwardSource |
      FEATURES.chunking |
      FEATURES.requireTls |
      FEATURES.dsn,
    sizeLimit: 1000,
    authWords: ['PLAIN'],
  })
  t.same(parseEhloReply('250-mx\n250-SIZE many\n250 PIPELINING', new Set(['PIPELINING'])), {
    serverName: 'mx',
    features: FEATURES.size,
    sizeLimit: 0,
    authWords: [],
    badSize: 'many',
  })
  t.end()
})

t.test('parseDiscardedKeywords() knows the order of the log line', (t) => {
  const { keywords, logged } = parseDiscardedKeywords(['smtputf8', 'dsn', 'nonsense', '8bitmime'])
  t.same(keywords, new Set(['8BITMIME', 'DSN', 'SMTPUTF8']))
  t.equal(logged, '8BITMIME DSN EHLO_MASK_SMTPUTF8')
  t.equal(parseDiscardedKeywords(['dsn', 'silent-discard']).logged, '')
  t.end()
})

t.test('encodeXtext() and encodeUtf8Xtext() quote specials', (t) => {
  t.equal(encodeXtext('a+b=c d\xe9'), 'a+2Bb=c+20d+E9')
  t.equal(encodeXtext('a=b', '='), 'a+3Db')
  t.equal(encodeUtf8Xtext('\xc3\xbc+\\='), '\\x{FC}\\x{2B}\\x{5C}\\x{3D}')
  t.equal(encodeUtf8Xtext('\xe9'), undefined)
  t.end()
})
