import t from 'tap'
import { ConversationReader } from './conversation-reader.ts'

function read(isLmtp: boolean, ...said: readonly string[]): ConversationReader {
  const reader = new ConversationReader(isLmtp)
  for (const one of said) {
    const octets = `${one.slice(2)}\r\n`
    if (one.startsWith('C')) reader.client(octets)
    else reader.server(octets)
  }
  return reader
}

t.test('replies belong to requests in their order', (t) => {
  const { exchanges, surplus } = read(
    false,
    'C EHLO a\r\nMAIL FROM:<a>\r\nRCPT TO:<b>\r\nDATA',
    'S 220 hi\r\n250-more\r\n250 x\r\n250 m',
    'S 550 no\r\n354 go\r\n250 early',
    'C ..\r\n.x\r\n\r\n.',
    'C QUIT',
  )
  t.same(
    exchanges.map(({ kind, line, content, codes }) => [kind, line, content, codes]),
    [
      ['opening', '', '', [220]],
      ['command', 'EHLO a', '', [250]],
      ['command', 'MAIL FROM:<a>', '', [250]],
      ['command', 'RCPT TO:<b>', '', [550]],
      ['command', 'DATA', '', [354]],
      ['text', '', '.\r\nx\r\n\r\n', [250]],
      ['command', 'QUIT', '', []],
    ],
  )
  t.same(surplus, [])
  t.end()
})

t.test('chunks are counted, and a refused DATA begins no text', (t) => {
  const { exchanges } = read(
    false,
    'S 220 a',
    'C BDAT 3\r\nabcBDAT 3 LAST\r\n.',
    'S 250 b\r\n552 c',
  )
  t.same(
    exchanges.map(({ kind, content, codes }) => [kind, content, codes]),
    [
      ['opening', '', [220]],
      ['chunk', 'abc', [250]],
      ['chunk', '.\r\n', [552]],
    ],
  )
  const refused = read(false, 'S 220 a', 'C DATA', 'S 554 no', 'C RSET')
  t.equal(refused.exchanges.at(-1)?.line, 'RSET')
  t.notOk(refused.isInText)
  t.ok(read(false, 'S 220 a', 'C DATA', 'S 354 go', 'C text').isInText)
  t.end()
})

t.test('LMTP: a reply to the text for each recipient that was accepted', (t) => {
  const { exchanges } = read(
    true,
    'C MAIL FROM:<a>\r\nRCPT TO:<b>\r\nRCPT TO:<c>\r\nRCPT TO:<d>\r\nDATA',
    'S 220 a\r\n250 b\r\n250 c\r\n550 d\r\n250 e\r\n354 f',
    'C .\r\nQUIT',
    'S 250 one\r\n452 two\r\n221 bye',
  )
  t.same(
    exchanges.slice(-2).map(({ codes }) => codes),
    [[250, 452], [221]],
  )
  t.end()
})

t.test('what is no reply is text of the next one', (t) => {
  const { exchanges, surplus } = read(false, 'S nothing\r\n25\r\n220\t\r\n250 \0\r\n421\n450-a\r\r')
  t.same(exchanges[0]?.codes, [250])
  t.same(surplus, [421])
  const endless = new ConversationReader(false)
  endless.server('x'.repeat(1_000_001))
  endless.server('\r\n220 a\r\n')
  t.same(endless.exchanges[0]?.codes, [])
  t.end()
})
