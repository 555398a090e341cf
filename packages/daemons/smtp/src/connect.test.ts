/**
 * connect.test - where connections come from, and what is said when they cannot
 */
import { MainConfig } from '@posthorn/config/main-config'
import { ConfigError } from '@posthorn/config/config-error'
import { captureLog } from '@posthorn/log/capture-log'
import { listenOn, localAddress } from '@posthorn/native/socket'
import { ScriptedPeer } from '@posthorn/testing/scripted-peer'
import t, { type Test } from 'tap'
import { readClientOptions } from './client-options.ts'
import { connectHost, type Connection } from './connect.ts'

async function connect(
  t: Test,
  settings: Record<string, string>,
  interfaces: readonly string[] = [],
): Promise<{ connection: Connection; log: string[] }> {
  const peer = await ScriptedPeer.start()
  t.teardown(async () => peer.close())
  const captured = captureLog()
  try {
    const options = readClientOptions(MainConfig.of(settings), 'smtp', 'smtp')
    const host = { name: 'a.test', address: '127.0.0.1', port: peer.port, preference: 0 }
    const connection = await connectHost(host, options, new Set(interfaces))
    if (connection.kind === 'connected') connection.stream.close()
    return { connection, log: captured.lines }
  } finally {
    captured.restore()
  }
}

const foreign = '192.0.2.1'
const cannot = `warning: smtp_connect_addr: bind ${foreign}: Cannot assign requested address`

t.test('connectHost() comes from the only address of inet_interfaces', async (t) => {
  // which is not one of this host: the attempt shows
  t.match(await connect(t, {}, [foreign]), { connection: { kind: 'connected' }, log: [cannot] })
  t.match(await connect(t, {}, [foreign, '192.0.2.2']), { log: [] }, 'one of several')
  t.match(await connect(t, {}, [foreign, '2001:db8::1']), { log: [cannot] }, 'of each family')
  t.match(await connect(t, {}, ['127.0.0.1']), { log: [] }, 'loopback')
  const enforced = await connect(t, { smtp_bind_address_enforce: 'yes' }, [foreign])
  t.match(enforced, { connection: { kind: 'connected' } }, 'nobody asked for it')
})

t.test('connectHost() comes from smtp_bind_address', async (t) => {
  const asked = { smtp_bind_address: foreign }
  t.match(await connect(t, asked), { connection: { kind: 'connected' }, log: [cannot] })
  const enforced = await connect(t, { ...asked, smtp_bind_address_enforce: 'yes' })
  t.match(enforced, {
    connection: { kind: 'failed', failure: { dsn: '4.4.0' } },
    log: [cannot, 'server configuration error'],
  })
  const other = await connect(t, { smtp_bind_address: '::1' })
  t.match(other, {
    connection: { kind: 'connected' },
    log: ['warning: smtp_connect_addr: bind ::1: Address family not supported by protocol'],
  })
})

t.test('connectHost() refuses a bind address that is none', async (t) => {
  await t.rejects(
    connect(t, { smtp_bind_address: '[127.0.0.1' }),
    new ConfigError('smtp_connect_addr: malformed smtp_bind_address parameter: [127.0.0.1'),
  )
  await t.rejects(
    connect(t, { smtp_bind_address: 'a.test' }),
    new ConfigError(
      'smtp_connect_addr: bad smtp_bind_address parameter: a.test: Name or service not known',
    ),
  )
})

t.test('connectHost() keeps to tcp_windowsize', async (t) => {
  const unwritten: number[] = []
  for (const windowBytes of [0, 4096]) {
    const loopback = { family: 'inet', address: '127.0.0.1', port: 0 } as const
    const listener = listenOn(loopback, { backlog: 1, windowBytes })
    const bound = localAddress(listener)
    const port = bound.family === 'unix' ? 0 : bound.port
    const config = MainConfig.of({ tcp_windowsize: String(windowBytes) })
    const options = readClientOptions(config, 'smtp', 'smtp')
    const host = { name: 'a.test', address: '127.0.0.1', port, preference: 0 }
    const connection = await connectHost(host, options, new Set())
    if (connection.kind === 'failed') throw new Error(connection.failure.reason)
    // the kernel shakes hands on its own, and nobody reads
    connection.stream.write('x'.repeat(200_000))
    await new Promise((resolve) => setImmediate(resolve))
    unwritten.push(connection.stream.unwritten)
    connection.stream.close()
    listener.close()
  }
  const [usual = 0, small = 0] = unwritten
  t.ok(small > 100_000, `${small} octets wait with small buffers`)
  t.ok(usual < small, `and ${usual} without`)
})
