import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { ScriptedPeer } from '@posthorn/testing/scripted-peer'
import t from 'tap'
import { readClientOptions } from './client-options.ts'
import { openClientTables } from './client-tables.ts'
import { openDebugPeers } from './debug-peers.ts'
import { Session } from './session.ts'
import { sessionRules } from './session-end.ts'
import { TestWorld } from './test/test-world.ts'

const host = { name: 'mx.a.test', address: '192.0.2.1', port: 25, preference: 0 }

t.test('openDebugPeers() knows servers by next-hop, name and address', async (t) => {
  const isDebugged = async (list: string): Promise<boolean | undefined> =>
    openDebugPeers(MainConfig.of({ debug_peer_list: list }))?.('[a.test]:26', host)
  t.equal(await isDebugged(''), undefined)
  for (const list of ['a.test', 'mx.a.test', '192.0.2.1', '192.0.2.0/24', 'b.test, A.TEST']) {
    t.equal(await isDebugged(list), true, list)
  }
  t.equal(await isDebugged('inline:{192.0.2.1=x}'), true)
  t.equal(await isDebugged('!192.0.2.1, static:all'), true, 'the next-hop')
  for (const list of ['x.test', '192.0.2.2', 'mx', '!a.test']) {
    t.equal(await isDebugged(list), false, list)
  }
  const captured = captureLog()
  t.equal(await isDebugged('fail:broken'), false)
  t.match(captured.lines, [/debug_peer_list: fail:broken/, /debug_peer_list: fail:broken/])
  captured.restore()
})

t.test('secrets of a session that is watched are in no log and no notice', async (t) => {
  const [ours, theirs] = socketPair()
  const [client, server] = [new ByteStream(ours), new ByteStream(theirs)]
  const options = readClientOptions(MainConfig.of({}), 'smtp', 'smtp')
  const start = { stream: client, host, nexthop: 'a.test', origin: 'new', features: 0 } as const
  const fate = { fate: 'spent', tlsLevel: 0, reuseUntilMs: 0, reuseCount: 0 } as const
  const session = new Session({ ...start, ...fate }, sessionRules(options, 'ID', undefined, true))
  session.isDebugged = true
  const captured = captureLog()
  session.send('AUTH PLAIN AGEAYg==', 'AUTH PLAIN ...')
  captured.restore()
  t.same(captured.lines, ['> mx.a.test[192.0.2.1]:25: AUTH PLAIN ...'])
  t.same(session.transcript, ['Out: AUTH PLAIN ...'])
  t.equal(await server.readUntil('\r\n', 100), 'AUTH PLAIN AGEAYg==')
  client.close()
  server.close()
})

t.test('sessions of debug_peer_list are in the log', async (t) => {
  const peer = await ScriptedPeer.start({ extensions: ['PIPELINING'] })
  t.teardown(async () => peer.close())
  const settings = { debug_peer_list: '127.0.0.1', inet_interfaces: '127.0.0.1' }
  const { tables } = openClientTables(MainConfig.of(settings), 'smtp')
  const world = await TestWorld.start(t, settings, { tables })
  const { log } = await world.deliver({ nexthop: `[127.0.0.1]:${peer.port}` })
  const endpoint = `127.0.0.1[127.0.0.1]:${peer.port}: `
  t.same(
    log.filter((line) => /^[<>] /.test(line)).map((line) => line.replace(endpoint, '')),
    [
      '< 220 peer.test ESMTP',
      '> EHLO client.test',
      '< 250-peer.test',
      '< 250 PIPELINING',
      '> MAIL FROM:<from@example.test>',
      '> RCPT TO:<to@example.test>',
      '> DATA',
      '< 250 2.0.0 Ok',
      '< 250 2.0.0 Ok',
      '< 354 End data with <CR><LF>.<CR><LF>',
      '> .',
      '> QUIT',
      '< 250 2.0.0 Ok: queued',
    ],
  )
})
