import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { createDeliveryContext } from '@posthorn/delivery/delivery-context'
import { openedTables } from '@posthorn/tables/open-table'
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

t.test('a TLS policy table that cannot be asked makes the mail wait', async (t) => {
  const policy = await deliver(t, (port) => ({
    smtp_tls_policy_maps: `inline:{[127.0.0.1]:${port}=encrypt}`,
  }))
  t.match(policy.log.at(-1), /dsn=4\.7\.4, status=deferred \(TLS is required, but was not offered/)
  const broken = await deliver(t, () => ({ smtp_tls_policy_maps: 'fail:here' }))
  t.match(
    broken.log.at(-1),
    /relay=none, dsn=4\.7\.5, status=deferred \(client TLS configuration problem\)/,
  )
  const site = await deliver(t, () => ({ smtp_tls_per_site: 'fail:here' }))
  t.match(site.log.at(-1), /relay=none, dsn=4\.3\.0, status=deferred \(Temporary lookup error\)/)
  const none = await deliver(t, (port) => ({
    smtp_tls_security_level: 'encrypt',
    smtp_tls_policy_maps: `inline:{[127.0.0.1]:${port}=none}`,
  }))
  t.match(none.log.at(-1), /status=sent/)
})

t.test('a table that cannot follow its file is noticed, whatever parameter names it', (t) => {
  const people = new URL('../../../lib/tables/src/fixtures/people-hash.db', import.meta.url)
  const table = `hash:${people.pathname.replace(/\.db$/, '')}`
  for (const name of [
    'smtp_connection_cache_destinations',
    'smtp_delivery_status_filter',
    'fast_flush_domains',
    'smtp_generic_maps',
    'smtp_header_checks',
    'smtp_dns_reply_filter',
  ]) {
    const config = MainConfig.of({ [name]: table, inet_interfaces: '127.0.0.1' })
    const { outdated } = openClientTables(config, 'smtp')
    createDeliveryContext(config, 'smtp_delivery_status_filter')
    t.equal(outdated(), undefined, name)
    // there are others: smtp_requiretls_policy has some by default
    const own = openedTables(config).filter((one) => one.name === table)
    for (const one of own) Object.assign(one, { isStale: true })
    t.equal(outdated(), `table ${table} has changed -- restarting`, name)
  }
  t.end()
})

t.test('replies are filtered, destinations are cached', async (t) => {
  const filtered = await deliver(t, () => ({
    smtp_reply_filter: 'regexp:{ {/queued/ 250 2.0.0 as you say} }',
  }))
  t.match(filtered.log.at(-1), /status=sent \(250 2\.0\.0 as you say\)/)
  const cached = await deliver(t, () => ({ smtp_connection_cache_destinations: '127.0.0.1' }))
  t.notOk(cached.peer.commands.includes('QUIT'))
})
