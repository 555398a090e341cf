import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { ScriptedPeer } from '@posthorn/testing/scripted-peer'
import t from 'tap'
import { openClientTables } from './client-tables.ts'
import { openTls } from './open-security.ts'
import { TestWorld } from './test/test-world.ts'
import { openTlsLogLevels } from './tls-log-levels.ts'

const host = { name: 'mx.a.test', address: '192.0.2.1', port: 25, preference: 0 }
const target = { element: '[a.test]:26', domain: 'a.test', host }

t.test('openTlsLogLevels() knows a server by next-hop, domain, name and address', async (t) => {
  for (const protocol of ['smtp', 'lmtp'] as const) {
    const find = async (table: string): Promise<string | undefined> =>
      openTlsLogLevels(
        MainConfig.of({ [`${protocol}_tls_loglevel_maps`]: table }),
        protocol,
      )?.(target)
    t.equal(openTlsLogLevels(MainConfig.of({}), protocol), undefined)
    for (const key of ['[a.test]:26', 'a.test', 'mx.a.test', '192.0.2.1']) {
      t.equal(await find(`inline:{ {${key} = 2} }`), '2', key)
    }
    t.equal(await find('inline:{ {192.0.2.1 = 1} {a.test = summary} }'), 'summary', 'in this order')
    t.equal(await find('inline:{ {b.test = 2} }'), undefined)
    const captured = captureLog()
    t.equal(await find('fail:broken'), undefined, 'the level of all')
    captured.restore()
    t.match(captured.lines.at(-1), /lookup error for \[a\.test\]:26$/)
  }
})

t.test('the level of one server, whatever that of the others is', async (t) => {
  const peer = await ScriptedPeer.start({ tls: {} })
  t.teardown(async () => peer.close())
  const lines = async (level: string, table: string): Promise<string[]> => {
    const settings = {
      inet_interfaces: '127.0.0.1',
      smtp_tls_security_level: 'may',
      smtp_tls_loglevel: level,
      smtp_tls_loglevel_maps: table,
    }
    const { tables } = openClientTables(MainConfig.of(settings), 'smtp')
    const world = await TestWorld.start(t, settings, { tables })
    const { log } = await world.deliver({ nexthop: `[127.0.0.1]:${peer.port}` })
    t.match(log.at(-1), /status=sent/)
    return log.slice(0, -1).map((line) => line.replace(/ (?:to|127).*/, ''))
  }
  const summary = ['Untrusted TLS connection established']
  t.same(await lines('0', 'inline:{ {127.0.0.1 = 1} }'), summary)
  t.same(await lines('1', 'inline:{ {127.0.0.1 = 0} }'), [])
  t.same(await lines('1', 'inline:{ {127.0.0.2 = 0} }'), summary)
  t.ok((await lines('0', 'inline:{ {127.0.0.1 = 2} }')).length > 2)
})

t.test('what Node.js cannot do is said at start', async (t) => {
  const open = async (settings: Record<string, string>): Promise<string[]> => {
    const captured = captureLog()
    try {
      for (const protocol of ['smtp', 'lmtp'] as const) {
        const config = MainConfig.of({
          inet_interfaces: '127.0.0.1',
          [`${protocol}_tls_security_level`]: 'may',
          ...settings,
        })
        await openTls(config, protocol, openClientTables(config, protocol).tls)
      }
      return captured.lines
    } finally {
      captured.restore()
    }
  }
  t.same(await open({}), [])
  t.match(await open({ smtp_tls_enable_rpk: 'yes', lmtp_tls_enable_rpk: 'yes' }), [
    /smtp_tls_enable_rpk = yes is ignored: certificates only/,
    /lmtp_tls_enable_rpk = yes is ignored: certificates only/,
  ])
  t.match(await open({ smtp_tls_trace_size_limit: '1', lmtp_tls_trace_size_limit: '2' }), [
    /smtp_tls_trace_size_limit = 1 is ignored/,
    /lmtp_tls_trace_size_limit = 2 is ignored/,
  ])
})
