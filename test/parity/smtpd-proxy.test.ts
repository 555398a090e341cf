/**
 * smtpd-proxy.test - a load balancer in front of smtpd(8), and a filter behind it, beside the real one
 */
import t, { type Test } from 'tap'
import { createServer, type Socket } from 'node:net'
import { comparable, SYSTEMS, startSystem } from './both-systems.ts'
import {
  compareSessions,
  differences,
  MAIN,
  playSession,
  smtpdServices,
  type SessionScript,
} from './smtpd-sessions.ts'

const HELLO = 'EHLO c'
const FROM = 'MAIL FROM:<a@b.test>'
const TO = 'RCPT TO:<joe@example.com>'

const octets = (command: number, family: number, rest: string): string =>
  `\r\n\r\n\0\r\nQUIT\n${String.fromCharCode(0x20 | command, family, rest.length >> 8, rest.length & 255)}${rest}`
const inet = '\xc0\0\x02\x42\xc0\0\x02\x19\x12\x34\0\x19'

const HEADERS: readonly string[] = [
  ...['TCP4 192.0.2.66 192.0.2.25 4711 25', 'UNKNOWN', 'TCP6 2001:db8::1 2001:db8::2 1 2', 'TCP4'],
  ...[
    'TCP4 192.0.2 192.0.2.25 4711 25',
    'TCP4 192.0.2.66 192.0.2 4711 25',
    'TCP4 192.0.2.66 192.0.2.25 x 25',
  ],
  ...[
    'TCP4 192.0.2.66 192.0.2.25 1 70000',
    'TCP4 192.0.2.66 192.0.2.25 1 25 more',
    'TCP5 192.0.2.66 192.0.2.25 1 2',
  ],
].map((line) => `PROXY ${line}\r\n`)

t.test('a load balancer says who the client is', async (t) => {
  const headers = [
    ...HEADERS,
    ...[
      'PROXY TCP4 192.0.2.66 192.0.2.25 4711 25\n',
      'proxy tcp4 192.0.2.66 192.0.2.25 1 2\r\n',
      `${HELLO}\r\n`,
    ],
    ...[octets(1, 0x11, inet), octets(0, 0, ''), octets(1, 0x12, inet), octets(1, 0x11, 'abc')],
    ...[
      octets(1, 0x11, `${inet}more`),
      octets(1, 0, ''),
      octets(5, 0x11, inet),
      octets(1, 0x21, 'x'.repeat(36)),
    ],
  ]
  const sessions = headers.map((early): SessionScript => ({
    title: JSON.stringify(early),
    service: 'balanced',
    early,
    script: [HELLO, 'VRFY no@example.com', 'QUIT'],
  }))
  await compareSessions(t, {
    services: { balanced: { smtpd_upstream_proxy_protocol: 'haproxy' } },
    sessions,
  })
})

/** A filter that notes what it hears. What it makes of commands stands in their addresses. */
class Filter {
  heard: string[] = []
  readonly #server = createServer((socket) => {
    this.#serve(socket)
  })

  async start(t: Test): Promise<number> {
    t.teardown(() => this.#server.close())
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const bound = this.#server.address()
    if (bound === null || typeof bound === 'string') throw new Error('Cannot listen')
    return bound.port
  }

  #serve(socket: Socket): void {
    this.heard.push('(connect)')
    let rest = ''
    let isContent = false
    const answer = (line: string): string | undefined => {
      if (isContent) {
        isContent = line !== '.'
        return isContent ? undefined : '250 2.0.0 Ok: queued by filter'
      }
      if (line.startsWith('EHLO'))
        return '250-filter\r\n250-PIPELINING\r\n250-XFORWARD NAME ADDR PROTO HELO SOURCE IDENT\r\n250 8BITMIME'
      if (line.includes('refuse')) return '550-5.7.1 the filter says\r\n550 5.7.1 no'
      if (line.includes('garbage')) return 'hello there'
      if (line.includes('later')) return '450 4.7.1 later'
      if (line.includes('gone')) return undefined
      isContent = line === 'DATA'
      return isContent ? '354 go ahead' : '250 2.0.0 ok'
    }
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      const lines = (rest + chunk.toString('latin1')).split('\r\n')
      rest = lines.pop() ?? ''
      for (const line of lines) {
        this.heard.push(`F: ${line}`)
        if (line === 'QUIT') socket.end('221 bye\r\n')
        else if (line.includes('gone')) socket.destroy()
        else {
          const reply = answer(line)
          if (reply !== undefined) socket.write(`${reply}\r\n`)
        }
      }
    })
    socket.write('220 filter ESMTP\r\n')
  }
}

const say = (title: string, ...script: SessionScript['script']): SessionScript => ({
  title,
  service: 'filtered',
  script,
})

const FILTERED: readonly SessionScript[] = [
  say(
    'a message',
    HELLO,
    `${FROM} SIZE=100 BODY=8BITMIME`,
    `${TO} NOTIFY=NEVER ORCPT=rfc822;x@y`,
    'DATA',
    'Subject: x\r\n\r\nhello\r\n..dot\r\n.',
    'QUIT',
  ),
  say(
    'two, and refusals of ours and of the filter',
    'HELO c',
    FROM,
    TO,
    'RCPT TO:<no@example.com>',
    'RCPT TO:<refuse@other.test>',
    'RCPT TO:<later@other.test>',
    'DATA',
    '.',
    'MAIL FROM:<>',
    'RCPT TO:<x@other.test>',
    'DATA',
    ' x\n.',
    'QUIT',
  ),
  say('a refused sender', HELLO, 'MAIL FROM:<refuse@b>', TO, TO, 'DATA', 'RSET'),
  say('chunks', HELLO, FROM, TO, { raw: 'BDAT 5\r\na\r\n.b' }, { raw: 'BDAT 4 LAST\r\n\nc\r\n' }),
  say('a client that leaves', HELLO, FROM, TO),
  say('RSET', HELLO, FROM, TO, 'RSET', FROM, TO, 'DATA', 'x\r\n.'),
  say(
    'actions that need a queue file',
    HELLO,
    'MAIL FROM:<h@b>',
    TO,
    'RSET',
    'MAIL FROM:<f@b>',
    TO,
    'RSET',
    'MAIL FROM:<p@b>',
    TO,
    'DATA',
    'x\r\n.',
  ),
  say(
    'XCLIENT',
    'XCLIENT NAME=c.example ADDR=192.0.2.9 HELO=he.lo PROTO=ESMTP PORT=99',
    FROM,
    TO,
    'DATA',
    'x\r\n.',
  ),
  say(
    'XFORWARD',
    HELLO,
    'XFORWARD NAME=o.example ADDR=192.0.2.9 HELO=he.lo IDENT=ABC SOURCE=LOCAL',
    FROM,
    TO,
    'DATA',
    'x\r\n.',
  ),
  say('a filter that leaves', HELLO, FROM, 'RCPT TO:<gone@other.test>', TO),
  { title: 'no filter there', service: 'away', script: [HELLO, FROM, TO, 'DATA'] },
]

t.test('a filter before the queue', async (t) => {
  const seen: string[][] = []
  for (const system of SYSTEMS) {
    const filter = new Filter()
    const port = await filter.start(t)
    const common = { mynetworks: '127.0.0.0/8', message_size_limit: '1000' }
    const { ports, master } = await smtpdServices({
      filtered: {
        ...common,
        smtpd_proxy_filter: `127.0.0.1:${port}`,
        smtpd_authorized_xclient_hosts: '127.0.0.1',
        smtpd_authorized_xforward_hosts: '127.0.0.1',
        smtpd_sender_restrictions:
          'check_sender_access inline:{ {p@b=PREPEND X-Foo: bar}, {h@b=HOLD}, {f@b=FILTER x:y} }',
      },
      away: { ...common, smtpd_proxy_filter: '127.0.0.1:1' },
    })
    const instance = await startSystem(t, system, { main: { ...MAIN }, master })
    const said: string[] = []
    for (const session of FILTERED) {
      filter.heard = []
      const words = await playSession(instance, ports, session)
      const heard = comparable(filter.heard.join('\n'))
      said.push(`${words}\n${heard}`.replaceAll(`127.0.0.1:${port}`, 'FILTER'))
    }
    await instance.stop()
    seen.push(said)
  }
  for (const [index, { title }] of FILTERED.entries()) {
    const [theirs, ours] = seen.map((said) => said[index] ?? '')
    const differing = differences(theirs ?? '', ours ?? '')
    t.equal(differing.length, 0, `filter: ${title}`)
    for (const line of differing) t.comment(line)
  }
})
