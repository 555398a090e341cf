import t from 'tap'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { waitFor } from '@posthorn/testing/wait-for'
import { TestWorld, type Mail, type Outcome } from './test/test-world.ts'

type StartOptions = Parameters<typeof TestWorld.start>[2]

async function dialogue(
  test: { teardown: (undo: () => unknown) => unknown },
  peerOptions: PeerOptions,
  mail: Partial<Mail> = {},
  settings: Record<string, string> = {},
  options: StartOptions = {},
): Promise<Outcome & { peer: ScriptedPeer }> {
  const world = await TestWorld.start(test, settings, options)
  const peer = await ScriptedPeer.start(peerOptions)
  test.teardown(async () => peer.close())
  const nexthop =
    peerOptions.path === undefined ? `[127.0.0.1]:${peer.port}` : `unix:${peerOptions.path}`
  const outcome = await world.deliver({ nexthop, ...mail })
  await waitFor(() => peer.sessions.every((session) => session.isClosed), 'the end of all sessions')
  return { ...outcome, peer }
}

t.test('LMTP: LHLO, and a reply for each recipient after the content', async (t) => {
  const options = { protocol: 'lmtp' } as const
  const recipients = ['a@a.test', 'b@a.test', 'c@a.test']
  const replies = {
    'RCPT TO:<b@': '550 5.1.1 no',
    '.': ['250 2.0.0 one', '452 4.2.2 full'],
  }
  const extensions = ['PIPELINING']
  const peerOptions = { isLmtp: true, replies, extensions }
  const { log, peer, done } = await dialogue(t, peerOptions, { recipients }, {}, options)
  t.equal(peer.commands[0], 'LHLO client.test')
  t.match(log, [
    /to=<b@a\.test>, .*dsn=5\.1\.1, status=bounced/,
    /to=<a@a\.test>, .*dsn=2\.0\.0, status=sent \(250 2\.0\.0 one\)/,
    /to=<c@a\.test>, .*dsn=4\.2\.2, status=deferred \(.*in reply to end of DATA command\)\)/,
  ])
  t.same(done, ['a@a.test', 'b@a.test'])
})

t.test(
  'LMTP: replies that come in the middle of the content, one for each recipient',
  async (t) => {
    // more than the kernel takes, so that the end of the connection is noticed while it is sent
    const lines = ['', ...Array.from({ length: 120_000 }, () => 'x'.repeat(70))]
    const mail = { lines, recipients: ['a@a.test', 'b@a.test'] }
    const options = { protocol: 'lmtp' } as const
    const said = async (text: string): Promise<string[]> => {
      const DATA = { text: `354 go\r\n${text}`, reset: true }
      return (await dialogue(t, { isLmtp: true, replies: { DATA } }, mail, {}, options)).log
    }
    const lost =
      /to=<b@a\.test>, .*dsn=4\.4\.2, status=deferred \(lost connection .* sending message body\)/
    const refused = /to=<a@a\.test>, .*dsn=5\.7\.1, status=bounced/
    t.match(await said('550 5.7.1 no\r\n450 4.7.1 later'), [
      refused,
      /to=<b@a\.test>, .*dsn=4\.7\.1, status=deferred \(host .* said: 450 4\.7\.1 later/,
    ])
    t.match(await said('550 5.7.1 no\r\n250 2.0.0 yes'), [refused, lost], 'yes to half a message')
    t.match(await said('550 5.7.1 no'), [refused, lost])
  },
)

t.test('LMTP over a Unix socket', async (t) => {
  const options = { protocol: 'lmtp' } as const
  const { log } = await dialogue(t, { isLmtp: true, path: 'lmtp.sock' }, {}, {}, options)
  t.match(log, [/relay=client\.test\[lmtp\.sock\], dsn=2\.0\.0, status=sent/])
  const world = await TestWorld.start(t, {}, options)
  const outcome = await world.deliver({ nexthop: 'unix:none' })
  t.match(outcome.log, [
    /relay=none, dsn=4\.4\.1, status=deferred \(connect to client\.test\[none\]: No such file or directory\)/,
  ])
})

t.test('XFORWARD tells what is known and wanted, and a refusal does not matter', async (t) => {
  const request = {
    clientName: 'unknown',
    clientAddress: '192.0.2.1',
    clientPort: '4711',
    clientProtocol: 'ESMTP',
    clientHelo: 'he+lo',
    logIdent: 'ABC',
  }
  const extensions = ['XFORWARD NAME ADDR PROTO HELO SOURCE']
  const replies = { 'XFORWARD PROTO': '501 no' }
  const settings = { smtp_send_xforward_command: 'yes' }
  const { log, peer } = await dialogue(t, { extensions, replies }, { request }, settings)
  t.same(peer.commands.slice(1, 3), [
    'XFORWARD ADDR=192.0.2.1',
    'XFORWARD PROTO=ESMTP HELO=he+2Blo SOURCE=LOCAL',
  ])
  t.match(log, [/^warning: host .* said: 501 no \(in reply to XFORWARD helo/, /status=sent/])
})

t.test('SMTPUTF8 is asked for where needed, and demanded', async (t) => {
  const request = { smtpUtf8: 1 | 2, encoding: '8bit' }
  const recipients = ['\xc3\xbc@a.test']
  const extensions = ['SMTPUTF8', '8BITMIME']
  const offered = await dialogue(t, { extensions }, { request, recipients })
  t.same(offered.peer.commands.slice(1, 3), [
    'MAIL FROM:<from@example.test> BODY=8BITMIME SMTPUTF8',
    'RCPT TO:<\xc3\xbc@a.test>',
  ])
  const { log, peer } = await dialogue(t, {}, { request })
  t.match(log, [/dsn=5\.6\.7, status=bounced \(SMTPUTF8 is required, but was not offered by host/])
  t.same(peer.commands, ['EHLO client.test', 'QUIT'])
})

t.test('a server that hangs up in the middle may have said why', async (t) => {
  const lines = Array.from({ length: 40_000 }, () => 'x'.repeat(70))
  const replies = {
    DATA: { text: '354 go\r\n552 5.3.4 message too big', close: true },
  }
  const { log } = await dialogue(t, { replies }, { lines })
  t.match(
    log[0],
    /dsn=5\.3\.4, status=bounced .*552 5\.3\.4 message too big|dsn=4\.4\.2, status=deferred/,
  )
})

t.test('headers that master.cf asks for, and the loop that they end', async (t) => {
  const options = { args: ['flags=DOR'] }
  const recipients = [{ recipient: 'to@a.test', originalRecipient: 'Orig@a.test' }]
  const { peer } = await dialogue(t, {}, { recipients }, {}, options)
  t.equal(
    peer.messages[0]?.content.split('Subject')[0],
    'Return-Path: <from@example.test>\r\nX-Original-To: Orig@a.test\r\nDelivered-To: to@a.test\r\n',
  )
  const lines = ['Delivered-To: TO@a.test', '', 'x']
  const again = await dialogue(t, {}, { recipients, lines }, {}, options)
  t.match(again.log, [
    /relay=smtp, dsn=5\.4\.6, status=bounced \(mail forwarding loop for to@a\.test\)/,
  ])
  const two = await dialogue(t, {}, { recipients: ['a@a.test', 'b@a.test'] }, {}, options)
  t.match(two.log[1], /dsn=4\.3\.5, status=deferred \(mail system configuration error\)/)
})

t.test('PIX: ESMTP is not asked for', async (t) => {
  const { peer, log } = await dialogue(t, { replies: { greeting: '220 *****2***0****' } })
  t.equal(peer.commands[0], 'HELO client.test')
  t.match(log[0], /enabling PIX workarounds: disable_esmtp for 127\.0\.0\.1\[127\.0\.0\.1\]:\d+$/)
})

t.test('keywords that the administrator does not want are not seen', async (t) => {
  const settings = { smtp_discard_ehlo_keywords: 'dsn, size' }
  const extensions = ['SIZE 10', 'DSN', '8BITMIME']
  const { peer, log } = await dialogue(t, { extensions }, {}, settings)
  t.equal(log[0], 'discarding EHLO keywords: SIZE DSN')
  t.equal(peer.commands[1], 'MAIL FROM:<from@example.test> BODY=7BIT')
})

t.test('many recipients are pipelined without filling the buffers', async (t) => {
  const recipients = Array.from({ length: 300 }, (_, at) => `recipient-${at}@example.test`)
  const { done } = await dialogue(t, { extensions: ['PIPELINING'] }, { recipients })
  t.equal(done.length, 300)
})
