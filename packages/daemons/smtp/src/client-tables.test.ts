import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { ScriptedPeer } from '@posthorn/testing/scripted-peer'
import { openClientTables } from './client-tables.ts'
import { TestWorld, type Outcome } from './test/test-world.ts'

async function deliver(
  test: { teardown: (undo: () => unknown) => unknown },
  settings: (port: number) => Record<string, string>,
): Promise<Outcome & { peer: ScriptedPeer }> {
  const peer = await ScriptedPeer.start({ extensions: ['DSN', '8BITMIME'] })
  test.teardown(async () => peer.close())
  const parameters = settings(peer.port)
  const { tables, outdated } = openClientTables(MainConfig.of(parameters), 'smtp')
  const world = await TestWorld.start(test, parameters, { tables })
  test.teardown(() => {
    world.client.cache.close()
  })
  const outcome = await world.deliver({ nexthop: `[127.0.0.1]:${peer.port}` })
  if (outdated() !== undefined) throw new Error('tables that did not change are outdated')
  return { ...outcome, peer }
}

t.test('keywords are discarded by server address', async (t) => {
  const { log, peer } = await deliver(t, () => ({
    smtp_discard_ehlo_keyword_address_maps: 'inline:{127.0.0.1=8bitmime}',
  }))
  t.equal(log[0], 'discarding EHLO keywords: 8BITMIME')
  t.equal(peer.commands[1], 'MAIL FROM:<from@example.test>')
})

t.test('a table that cannot be asked makes the mail wait', async (t) => {
  const { log } = await deliver(t, () => ({
    smtp_discard_ehlo_keyword_address_maps: 'fail:here',
  }))
  t.match(
    log.at(-1),
    /dsn=4\.3\.0, status=deferred \(local data error while talking to 127\.0\.0\.1\[127\.0\.0\.1\]\)/,
  )
})

t.test('policies and passwords that we cannot use make the mail wait', async (t) => {
  const policy = await deliver(t, (port) => ({
    smtp_tls_policy_maps: `inline:{[127.0.0.1]:${port}=encrypt}`,
  }))
  t.match(policy.log.at(-1), /dsn=4\.7\.5, status=deferred/)
  const broken = await deliver(t, () => ({ smtp_tls_policy_maps: 'fail:here' }))
  t.match(broken.log.at(-1), /dsn=4\.3\.0, status=deferred \(Temporary lookup error\)/)
  const none = await deliver(t, (port) => ({
    smtp_tls_security_level: 'encrypt',
    smtp_tls_policy_maps: `inline:{[127.0.0.1]:${port}=none}`,
  }))
  t.match(none.log.at(-1), /status=sent/)
  const password = await deliver(t, () => ({
    smtp_sasl_auth_enable: 'yes',
    smtp_sasl_password_maps: 'inline:{127.0.0.1=user:pass}',
  }))
  t.match(password.log.at(-1), /dsn=4\.7\.0, status=deferred \(SASL authentication is configured/)
})

t.test('replies are filtered, destinations are cached', async (t) => {
  const filtered = await deliver(t, () => ({
    smtp_reply_filter: 'regexp:{ {/queued/ 250 2.0.0 as you say} }',
  }))
  t.match(filtered.log.at(-1), /status=sent \(250 2\.0\.0 as you say\)/)
  const cached = await deliver(t, () => ({ smtp_connection_cache_destinations: '127.0.0.1' }))
  t.notOk(cached.peer.commands.includes('QUIT'))
})
