import t from 'tap'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { waitFor } from '@posthorn/testing/wait-for'
import { TestWorld, type Mail, type Outcome } from './test/test-world.ts'

async function dialogue(
  test: { teardown: (undo: () => unknown) => unknown },
  options: PeerOptions,
  mail: Partial<Mail> = {},
  settings: Record<string, string> = {},
): Promise<Outcome & { peer: ScriptedPeer; endpoint: string }> {
  const peer = await ScriptedPeer.start(options)
  test.teardown(async () => peer.close())
  const world = await TestWorld.start(test, settings)
  const outcome = await world.deliver({ nexthop: `[127.0.0.1]:${peer.port}`, ...mail })
  await waitFor(() => peer.sessions.every((session) => session.isClosed), 'the end of all sessions')
  const log = outcome.log.map((line) => line.replaceAll(String(peer.port), 'PORT'))
  return { ...outcome, log, peer, endpoint: `127.0.0.1[127.0.0.1]:${peer.port}` }
}

const pipelining = ['PIPELINING', 'SIZE 10000', '8BITMIME', 'DSN']

t.test('a message is delivered in two writes, and the log says so', async (t) => {
  const { log, records, done, isFinished, peer, hopStatus } = await dialogue(t, {
    extensions: pipelining,
  })
  t.same(log, [
    '0123456789A: to=<to@example.test>, relay=127.0.0.1[127.0.0.1]:PORT, dsn=2.0.0, ' +
      'status=sent (250 2.0.0 Ok: queued)',
  ])
  t.same(records, [])
  t.same(done, ['to@example.test'])
  t.ok(isFinished)
  t.equal(hopStatus, undefined)
  t.match(peer.commands, [
    'EHLO client.test',
    /^MAIL FROM:<from@example.test> SIZE=\d+ BODY=7BIT$/,
    'RCPT TO:<to@example.test>',
    'DATA',
    'QUIT',
  ])
  t.equal(peer.messages[0]?.content, 'Subject: test\r\n\r\nbody\r\n')
})

t.test('without PIPELINING each command waits for its reply', async (t) => {
  const { done, peer } = await dialogue(t, { replies: { EHLO: '502 no', RSET: '250 ok' } })
  t.same(done, ['to@example.test'])
  t.same(peer.commands, [
    'EHLO client.test',
    'HELO client.test',
    'MAIL FROM:<from@example.test>',
    'RCPT TO:<to@example.test>',
    'DATA',
    'QUIT',
  ])
})

t.test('line ends in addresses begin no command', async (t) => {
  const { done, peer } = await dialogue(
    t,
    { extensions: pipelining },
    { sender: 'a>\r\nRCPT TO:<x\n@b', recipients: ['c>\r\nDATA\r\n@example.test', 'd@e\nf'] },
  )
  t.equal(done.length, 2)
  t.match(peer.commands, [
    'EHLO client.test',
    /^MAIL FROM:<"a>\\ {2}RCPT TO:<x "@b> SIZE=/,
    /^RCPT TO:<"c>\\ {2}DATA\\ {2}"@example.test>/,
    /^RCPT TO:<d@e f>/,
    'DATA',
    'QUIT',
  ])
})

for (const extensions of [[], pipelining]) {
  const how = extensions.length > 0 ? 'pipelined' : 'one by one'
  t.test(`rejected recipients do not hinder the others, ${how}`, async (t) => {
    const { log, records, done, isFinished, peer } = await dialogue(
      t,
      {
        extensions,
        replies: {
          'RCPT TO:<bad@': '550 5.1.1 no such user',
          'RCPT TO:<full@': '452-4.2.2 mailbox\r\n452 4.2.2 full',
        },
      },
      { recipients: ['bad@a.test', 'full@a.test', 'good@a.test'] },
    )
    const host = '127.0.0.1[127.0.0.1]'
    t.same(log, [
      `0123456789A: to=<bad@a.test>, relay=${host}:PORT, dsn=5.1.1, status=bounced ` +
        `(host ${host} said: 550 5.1.1 no such user (in reply to RCPT TO command))`,
      `0123456789A: to=<full@a.test>, relay=${host}:PORT, dsn=4.2.2, status=deferred ` +
        `(host ${host} said: 452-4.2.2 mailbox 452 4.2.2 full (in reply to RCPT TO command))`,
      `0123456789A: to=<good@a.test>, relay=${host}:PORT, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued)`,
    ])
    t.same(records, ['bounce bad@a.test 5.1.1 failed', 'defer full@a.test 4.2.2 delayed'])
    t.same(done, ['bad@a.test', 'good@a.test'])
    t.notOk(isFinished)
    t.same(peer.messages[0]?.recipients.length, 1)
  })

  t.test(`all recipients rejected: RSET or an empty message, ${how}`, async (t) => {
    const { done, peer, hopStatus } = await dialogue(t, {
      extensions,
      replies: { RCPT: '550 5.7.1 no' },
    })
    t.same(done, ['to@example.test'])
    t.equal(hopStatus, undefined)
    const after = peer.commands.slice(3)
    t.same(after, extensions.length > 0 ? ['DATA', 'QUIT'] : ['RSET', 'QUIT'])
    if (extensions.length > 0) t.equal(peer.messages[0]?.content, '')
  })

  t.test(`MAIL FROM rejected: the whole message, ${how}`, async (t) => {
    const { log, records, peer } = await dialogue(t, {
      extensions,
      replies: { MAIL: '451 4.7.1 later', RCPT: '503 no', DATA: '503 no' },
    })
    t.match(
      log[0],
      /dsn=4\.7\.1, status=deferred \(host .* said: 451 4\.7\.1 later \(in reply to MAIL FROM command\)\)/,
    )
    t.same(records, ['defer to@example.test 4.7.1 delayed'])
    t.equal(peer.commands.at(-2), 'RSET')
    t.equal(peer.commands.includes('DATA'), extensions.length > 0)
  })
}

t.test('failures at each stage have their text, class and scope', async (t) => {
  const host = '127.0.0.1[127.0.0.1]'
  const cases: { replies: PeerOptions['replies']; dsn: string; text: string; isHop?: boolean }[] = [
    {
      replies: { greeting: '554 5.7.1 go away' },
      dsn: '4.7.1',
      text: `host ${host} refused to talk to me: 554 5.7.1 go away`,
      isHop: true,
    },
    {
      replies: { greeting: { close: true } },
      dsn: '4.4.2',
      text: `lost connection with ${host} while receiving the initial server greeting`,
      isHop: true,
    },
    {
      replies: { EHLO: '421 4.3.2 busy' },
      dsn: '4.3.2',
      text: `host ${host} refused to talk to me: 421 4.3.2 busy`,
      isHop: true,
    },
    {
      replies: { EHLO: '500 what', HELO: '550 no' },
      dsn: '5.0.0',
      text: `host ${host} refused to talk to me: 550 no`,
    },
    {
      replies: { DATA: '554 5.5.1 no' },
      dsn: '5.5.1',
      text: `host ${host} said: 554 5.5.1 no (in reply to DATA command)`,
    },
    {
      replies: { DATA: '250 what' },
      dsn: '5.5.0',
      text: `Protocol error: host ${host} said: 250 what (in reply to DATA command)`,
    },
    {
      replies: { MAIL: '354 what' },
      dsn: '5.5.0',
      text: `host ${host} said: 354 what (in reply to MAIL FROM command)`,
    },
    {
      replies: { '.': '554 5.6.0 bad content' },
      dsn: '5.6.0',
      text: `host ${host} said: 554 5.6.0 bad content (in reply to end of DATA command)`,
    },
    {
      replies: { '.': { close: true } },
      dsn: '4.4.2',
      text: `lost connection with ${host} while sending end of data -- message may be sent more than once`,
      isHop: true,
    },
    {
      replies: { MAIL: { close: true } },
      dsn: '4.4.2',
      text: `lost connection with ${host} while sending MAIL FROM`,
      isHop: true,
    },
    {
      replies: { RCPT: {} },
      dsn: '4.4.2',
      text: `conversation with ${host} timed out while sending RCPT TO`,
      isHop: true,
    },
  ]
  for (const { replies, dsn, text, isHop } of cases) {
    const extensions = ['8BITMIME']
    const settings = { smtp_rcpt_timeout: '1s' }
    const outcome = await dialogue(t, { extensions, replies: replies ?? {} }, {}, settings)
    const [line] = outcome.log
    t.ok(line?.includes(`dsn=${dsn}, `), `${dsn}: ${line ?? ''}`)
    t.ok(line?.endsWith(`(${text})`), text)
    t.equal(outcome.hopStatus?.status, isHop === true ? dsn : undefined, text)
    t.equal(outcome.isFinished, dsn.startsWith('5'))
  }
})

t.test('a server that cannot be reached: no relay, and a hop status', async (t) => {
  const peer = await ScriptedPeer.start()
  await peer.close()
  const world = await TestWorld.start(t)
  const nexthop = '[127.0.0.1]:1'
  const { log, hopStatus } = await world.deliver({ nexthop })
  const text = 'connect to 127.0.0.1[127.0.0.1]:1: Connection refused'
  t.same(log, [
    text,
    `0123456789A: to=<to@example.test>, relay=none, dsn=4.4.1, status=deferred (${text})`,
  ])
  t.match(hopStatus, { status: '4.4.1', reason: text })
})

t.test('soft_bounce turns a bounce into a deferral', async (t) => {
  const settings = { soft_bounce: 'yes' }
  const { log, records, done } = await dialogue(
    t,
    { replies: { RCPT: '550 5.1.1 no' } },
    {},
    settings,
  )
  t.match(log[0], /dsn=4\.1\.1, status=SOFTBOUNCE/)
  t.same(records, ['defer to@example.test 4.1.1 delayed'])
  t.same(done, [])
})

t.test('a message too large for the server is not offered', async (t) => {
  const { log, peer } = await dialogue(t, { extensions: ['SIZE 10'] })
  t.match(
    log[0],
    /dsn=5\.3\.4, status=bounced \(message size \d+ exceeds size limit 10 of server 127\.0\.0\.1\[127\.0\.0\.1\]\)/,
  )
  t.same(peer.commands, ['EHLO client.test'])
})

t.test('probes ask and do not deliver', async (t) => {
  const request = { flags: 1 | 256 }
  const recipients = ['good@a.test', 'bad@a.test']
  const replies = { 'RCPT TO:<bad': '550 5.1.1 no' }
  const { log, records, peer, done } = await dialogue(t, { replies }, { request, recipients })
  t.match(log[0], /dsn=2\.0\.0, status=deliverable \(250 2\.0\.0 Ok\)/)
  t.match(log[1], /dsn=5\.1\.1, status=undeliverable /)
  t.same(records, ['verify good@a.test 0', 'verify bad@a.test 2'])
  t.same(done, recipients)
  t.same(peer.commands.slice(-2), ['RSET', 'QUIT'])
  const target = { smtp_address_verify_target: 'data' }
  const data = await dialogue(t, {}, { request }, target)
  t.match(data.log[0], /status=deliverable \(354 /)
  t.equal(data.peer.commands.at(-1), 'DATA')
})

t.test("DSN parameters go along, and success is the server's to report", async (t) => {
  const recipients = [
    { recipient: 'to@a.test', notifyFlags: 2 | 4, dsnOriginalRecipient: 'rfc822;o+r@a.test' },
    { recipient: 'b@a.test', originalRecipient: 'x@a.test', notifyFlags: 1 },
  ]
  const request = { envelopeId: 'a+b', returnFlags: 2 }
  const { peer, records, log } = await dialogue(t, { extensions: ['DSN'] }, { recipients, request })
  t.same(peer.commands.slice(1, 4), [
    'MAIL FROM:<from@example.test> ENVID=a+2Bb RET=HDRS',
    'RCPT TO:<to@a.test> ORCPT=rfc822;o+2Br@a.test NOTIFY=SUCCESS,FAILURE',
    'RCPT TO:<b@a.test> ORCPT=rfc822;x@a.test NOTIFY=NEVER',
  ])
  t.same(records, [])
  t.match(log[1], /to=<b@a\.test>, orig_to=<x@a\.test>, relay=/)
  const without = await dialogue(t, {}, { recipients, request })
  t.same(without.records, ['trace to@a.test 2.0.0 relayed'])
})

t.test('content: dots, long lines, 8-bit text for a server without 8BITMIME', async (t) => {
  const lines = ['Subject: x', '', '.', '..two', 'a.b', 'x'.repeat(998), 'y'.repeat(1500), '']
  const plain = await dialogue(t, { extensions: pipelining }, { lines })
  const y = `${'y'.repeat(998)}\r\n ${'y'.repeat(502)}`
  t.equal(
    plain.peer.messages[0]?.content,
    `Subject: x\r\n\r\n..\r\n...two\r\na.b\r\n${'x'.repeat(998)}\r\n${y}\r\n\r\n`,
  )
  t.equal(plain.log[0], '0123456789A: breaking line > 998 bytes with <CR><LF>SPACE')
  const mime = [
    'Content-Type: text/plain',
    'Content-Transfer-Encoding: 8bit',
    '',
    'gr\xc3\xbc\xc3\x9fe',
  ]
  const request = { encoding: '8bit' }
  const converted = await dialogue(t, {}, { lines: mime, request })
  t.equal(
    converted.peer.messages[0]?.content,
    'Content-Type: text/plain\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\ngr=C3=BC=C3=9Fe\r\n',
  )
})

t.test('a damaged queue file bounces, and nothing is sent as if it were whole', async (t) => {
  const { log, peer } = await dialogue(t, {}, { content: 'N\x05helloQ\x01x' })
  t.match(log[1], /dsn=5\.3\.0, status=bounced \(unreadable mail queue entry\)/)
  t.equal(peer.messages.length, 0)
})
