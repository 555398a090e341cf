import { MainConfig } from '@posthorn/config/main-config'
import { noStats } from '@posthorn/wire/delivery-request'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { TLS_LEVELS } from '@posthorn/wire/tlsproxy-protocol'
import t, { type Test } from 'tap'
import { FEATURES } from './features.ts'
import { TestWorld } from './test/test-world.ts'
import { tlsStatus } from './tls-status.ts'

/** `tls=... status=...` of one delivery. */
async function statusOf(
  t: Test,
  level: string,
  server: PeerOptions,
  more: { protocol?: 'smtp' | 'lmtp'; ageMs?: number; settings?: Record<string, string> } = {},
): Promise<string> {
  const { protocol = 'smtp', ageMs = 0, settings = {} } = more
  const peer = await ScriptedPeer.start({ isLmtp: protocol === 'lmtp', ...server })
  t.teardown(async () => peer.close())
  const world = await TestWorld.start(
    t,
    {
      [`${protocol}_tls_security_level`]: level,
      [`${protocol}_log_tls_feature_status`]: 'yes',
      ...settings,
    },
    { protocol },
  )
  const now = Date.now()
  const stats = { ...noStats, arrivalMs: now - ageMs, activeMs: now }
  const nexthop = `${protocol === 'lmtp' ? 'inet:' : ''}[127.0.0.1]:${peer.port}`
  const { log } = await world.deliver({ nexthop, request: { stats } })
  const line = log.at(-1) ?? ''
  return ['tls', 'status'].map((name) => new RegExp(`${name}=[^ ,]*`).exec(line)?.[0]).join(' ')
}

const withTls = { tls: {} }
const failing = { tls: {}, replies: { handshake: { close: true } } }

t.test('tls= says what was asked for, and what came of it', async (t) => {
  for (const protocol of ['smtp', 'lmtp'] as const) {
    const status = async (level: string, server: PeerOptions, more = {}): Promise<string> =>
      statusOf(t, level, server, { protocol, ...more })
    t.equal(await status('none', {}), 'tls=none status=sent')
    t.equal(await status('may', withTls), 'tls=may status=sent')
    t.equal(await status('may', {}), 'tls=may:none status=sent', 'not offered')
    t.equal(await status('encrypt', withTls), 'tls=encrypt status=sent')
    t.equal(await status('encrypt', {}), 'tls=encrypt? status=deferred', 'not offered')
    t.equal(await status('verify', withTls), 'tls=verify? status=deferred', 'not the right one')
    t.equal(await status('may', failing), 'tls=may? status=deferred', 'no handshake')
    const old = { ageMs: 10_000_000 }
    t.equal(await status('may', failing, old), 'tls=may:none status=sent', 'a second try')
  }
})

t.test('tlsStatus() says what became of REQUIRETLS', (t) => {
  const plain = { asksForRequireTls: true, features: FEATURES.requireTls }
  const may = { ...plain, wantedTlsLevel: TLS_LEVELS.may }
  const none = { ...plain, wantedTlsLevel: TLS_LEVELS.none }
  const tlsContext = { level: TLS_LEVELS.may, peerStatus: 0 }
  t.equal(tlsStatus({ ...may, tlsContext, isTlsSettled: true }), 'may/requiretls')
  t.equal(tlsStatus({ ...may, tlsContext, isTlsSettled: true, features: 0 }), 'may/requiretls:none')
  t.equal(tlsStatus({ ...may, isTlsSettled: true }), 'may:none/requiretls:none')
  t.equal(tlsStatus({ ...may, isTlsSettled: false }), 'may?/requiretls?')
  t.equal(tlsStatus({ ...none, isTlsSettled: false }), 'none/requiretls:none')
  const other = { ...may, asksForRequireTls: false }
  t.equal(tlsStatus({ ...other, tlsContext, isTlsSettled: true }), 'may')
  t.end()
})

t.test('by default it says nothing, below compatibility level 3.11', async (t) => {
  const names = ['smtp_log_tls_feature_status', 'lmtp_log_tls_feature_status'] as const
  for (const name of names) {
    t.equal(MainConfig.of({ compatibility_level: '3.7' }).boolean(name), false)
    t.equal(MainConfig.of({ compatibility_level: '3.11' }).boolean(name), true)
  }
  const settings = { smtp_log_tls_feature_status: 'no' }
  t.equal(await statusOf(t, 'may', withTls, { settings }), ' status=sent', 'no tls=')
})

t.test('without a server there is nothing to say', async (t) => {
  const world = await TestWorld.start(t, {
    smtp_log_tls_feature_status: 'yes',
    smtp_tls_security_level: 'may',
    smtp_host_lookup: 'native',
  })
  const { log } = await world.deliver({ nexthop: '[no.invalid]' })
  t.match(log.at(-1), /relay=none, dsn=/)
})
