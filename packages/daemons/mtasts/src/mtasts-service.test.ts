/**
 * mtasts-service.test - conversations over socket pairs, with policies from an HTTPS server
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { ConfigError } from '@posthorn/config/config-error'
import { MainConfig } from '@posthorn/config/main-config'
import { createServiceContext } from '@posthorn/daemon/service-context'
import type { Client, Service } from '@posthorn/daemon/service'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { rootPem } from '@posthorn/testing/test-certificates'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { domainOf } from './mtasts-service.ts'
import { defineMtasts } from './mtasts.ts'
import { netstring, readNetstring } from './netstring.ts'
import { PolicySite } from './test/policy-site.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

const client: Client = {
  peer: { family: 'unix', path: '' },
  local: { family: 'unix', path: '' },
  arrival: 'accepted',
  signal: new AbortController().signal,
  stay: () => false,
}

/** A service with these settings, and a site to ask. */
async function world(t: Test, settings: Record<string, string> = {}) {
  logged.lines.length = 0
  const site = await PolicySite.start(t)
  const directory = temporaryDirectory(t)
  const caFile = join(directory, 'ca.pem')
  writeFileSync(caFile, rootPem())
  const clock = { seconds: Math.floor(Date.now() / 1000) }
  const config = { ...site.settings, mta_sts_CAfile: caFile, ...settings }
  const start = async (more: Record<string, string> = {}): Promise<Service> =>
    defineMtasts(() => clock.seconds).start(
      createServiceContext(MainConfig.of({ ...config, ...more })),
    )
  return { site, directory, clock, start }
}

function connect(t: Test, service: Service, idleMs = 5000) {
  const [near, far] = socketPair()
  const server = new ByteStream(far, { timeoutMs: idleMs })
  const served = (service.serve?.(server, client) ?? Promise.resolve())
    .then(
      () => 'over',
      (error: unknown) => String(error),
    )
    .finally(() => {
      server.close()
    })
  const stream = new ByteStream(near, { timeoutMs: 5000 })
  t.teardown(async () => {
    stream.close()
    await served
  })
  const ask = async (request: string): Promise<string> => {
    stream.write(netstring(request))
    return readNetstring(stream)
  }
  return { stream, ask, served }
}

t.test('policies, by their two names', async (t) => {
  const { site, start, clock } = await world(t)
  const service = await start()
  const { ask } = connect(t, service)
  site.publish('example.test', 'id1', 'enforce', ['mx1.example.test', '*.example.net'])
  site.publish('testing.test', 'id1', 'testing', ['mx.testing.test'])
  site.publish('none.test', 'id1', 'none', [])
  site.announce('broken.test', 'id1')
  const secure = 'OK secure match=mx1.example.test:.example.net servername=hostname'
  t.equal(await ask('policy example.test'), secure)
  t.equal(await ask('policy EXAMPLE.test'), secure)
  clock.seconds += 10
  t.equal(
    await ask('policy-3.10 example.test'),
    `${secure} policy_type=sts policy_domain=example.test policy_ttl=86390 ` +
      'mx_host_pattern=mx1.example.test mx_host_pattern=*.example.net ' +
      '{ policy_string = version: STSv1 } { policy_string = mode: enforce } ' +
      '{ policy_string = mx: mx1.example.test } { policy_string = mx: *.example.net } ' +
      '{ policy_string = max_age: 86400 }',
  )
  t.equal(await ask('policy testing.test'), 'NOTFOUND ')
  t.match(await ask('policy-3.10 testing.test'), /^OK may policy_type=sts policy_domain=testing/)
  t.equal(await ask('policy broken.test'), 'NOTFOUND ')
  t.equal(
    await ask('policy-3.10 broken.test'),
    'OK may policy_type=sts policy_domain=broken.test policy_failure=sts-policy-fetch-error',
  )
  for (const name of ['policy', 'policy-3.10']) {
    t.equal(await ask(`${name} none.test`), 'NOTFOUND ')
    t.equal(await ask(`${name} nobody.test`), 'NOTFOUND ')
  }
  t.equal(site.requests.length, 4)
  await service.stop?.()
})

t.test('the level of the site is not lowered', async (t) => {
  const { site, start } = await world(t)
  site.publish('testing.test', 'id1', 'testing', ['mx.testing.test'])
  for (const [level, said] of [
    ['encrypt', /^OK encrypt policy_type=sts/],
    ['secure', /^NOTFOUND $/],
  ] as const) {
    const service = await start({ smtp_tls_security_level: level })
    t.match(await connect(t, service).ask('policy-3.10 testing.test'), said)
    await service.stop?.()
  }
})

t.test('keys that are no domain are not looked up', async (t) => {
  const { site, start } = await world(t)
  const service = await start()
  const { ask } = connect(t, service)
  const keys = ['', '[mx.a.test]', '[mx.a.test]:25', 'a.test:25', '.a.test', 'a.test.', 'localhost']
  keys.push('192.0.2.1', '[192.0.2.1]', '2001:db8::1', 'a..test', 'a b.test', '*', '*.a.test')
  keys.push(`${'a'.repeat(64)}.test`, 'a.'.repeat(122) + 'test', '\xff.test', 'x'.repeat(9000))
  for (const key of keys) t.equal(await ask(`policy ${key}`), 'NOTFOUND ', key)
  t.same(site.dns.queries, [])
  t.equal(domainOf('b\xc3\xbccher.example'), 'xn--bcher-kva.example')
  t.equal(domainOf('Mail_1.Example'), 'mail_1.example')
  const long = 'a.'.repeat(120)
  t.equal(domainOf(`${long}test`), `${long}test`)
  t.equal(domainOf(`${long}tests`), undefined)
  t.equal(await ask('other a.test'), 'PERM unknown socketmap name')
  t.equal(await ask('policy'), 'NOTFOUND ')
  t.same(logged.lines, ['warning: unknown socketmap name: "other"'])
  await service.stop?.()
})

t.test(
  '200 clients ask at once: one fetch; several requests in one packet: one reply each',
  async (t) => {
    const { site, start } = await world(t)
    const service = await start()
    site.publish('example.test', 'id1', 'enforce', ['mx.example.test'])
    const clients = Array.from({ length: 200 }, () => connect(t, service))
    const said = await Promise.all(clients.map(async ({ ask }) => ask('policy example.test')))
    t.same(new Set(said), new Set(['OK secure match=mx.example.test servername=hostname']))
    t.equal(site.requests.length, 1)
    t.same(logged.lines, ['example.test: policy id1 mode enforce, max_age 86400'])

    const { stream } = connect(t, service)
    stream.write(netstring('policy nobody.test') + netstring('policy example.test'))
    t.equal(await readNetstring(stream), 'NOTFOUND ')
    t.match(await readNetstring(stream), /^OK secure/)
    await service.stop?.()
  },
)

t.test('policies survive a restart, also when nothing can be asked any more', async (t) => {
  const { site, start, directory, clock } = await world(t)
  const path = join(directory, 'cache')
  site.publish('example.test', 'id1', 'enforce', ['mx.example.test'], 1000)
  const first = await start({ mta_sts_cache_file: path })
  t.match(await connect(t, first).ask('policy example.test'), /^OK secure/)
  await first.stop?.()
  t.equal(readFileSync(path, 'latin1').split('\n').length, 2)

  site.hosts.clear()
  site.dns.set('_mta-sts.example.test', 'servfail')
  const second = await start({ mta_sts_cache_file: path })
  const { ask } = connect(t, second)
  t.match(await ask('policy example.test'), /^OK secure/)
  site.announce('example.test', 'id2')
  clock.seconds += 100
  t.match(await ask('policy-3.10 example.test'), /^OK secure .* policy_ttl=900 /)
  t.match(logged.lines.at(-1), /no policy id2: .*HTTP status 404.*id id1 stays in force/)
  clock.seconds += 900
  t.equal(await ask('policy example.test'), 'NOTFOUND ')
  await second.stop?.()
})

t.test('what is no netstring costs the connection, and nobody else', async (t) => {
  const { site, start } = await world(t)
  const service = await start()
  site.publish('example.test', 'id1', 'enforce', ['mx.example.test'])
  const other = connect(t, service)
  for (const octets of [
    ':',
    'x',
    '-1:',
    '01:x,',
    '5 :',
    '10001:',
    '999999999999',
    '3:abcd',
    'GET / HTTP/1.0\r\n',
    '\0\0\0\0',
  ]) {
    const { stream, served } = connect(t, service)
    stream.write(octets)
    await stream.flush()
    t.match(await served, /^SocketmapError: Cannot read request/, JSON.stringify(octets))
  }
  // a client that leaves, one that leaves too early, and master(8)
  for (const [octets, said] of [
    ['', /^over$/],
    ['W', /^over$/],
    ['20:policy exam', /^EndOfStreamError/],
  ] as const) {
    const { stream, served } = connect(t, service)
    stream.write(octets)
    await stream.end()
    t.match(await served, said)
  }
  // one that says nothing for too long
  t.equal(await connect(t, service, 1).served, 'over')
  t.match(await other.ask('policy example.test'), /^OK secure/)
  await service.stop?.()
})

t.test('readNetstring() reads what netstring() writes, in any pieces', async () => {
  const octets = fc.string({ unit: 'binary-ascii', maxLength: 300 })
  await fc.assert(
    fc.asyncProperty(octets, fc.array(fc.nat(20), { maxLength: 20 }), async (text, cuts) => {
      const [a, b] = socketPair()
      const [near, far] = [new ByteStream(a, { timeoutMs: 5000 }), new ByteStream(b)]
      const sent = netstring(text)
      const reading = readNetstring(near)
      let at = 0
      for (const length of cuts) {
        far.write(sent.slice(at, at + length))
        await far.flush()
        at += length
      }
      far.write(sent.slice(at))
      await far.flush()
      const isSame = (await reading) === text
      near.close()
      far.close()
      return isSame
    }),
    { numRuns: 50 },
  )
})

t.test('authorities that cannot be read are a mistake in the configuration', async (t) => {
  const { start } = await world(t)
  await t.rejects(start({ mta_sts_CAfile: '/nowhere/ca.pem' }), ConfigError)
})

t.test('without mta_sts_CAfile the authorities are those of the system, not ours', async (t) => {
  const { site, start } = await world(t)
  const service = await start({ mta_sts_CAfile: '' })
  site.publish('example.test', 'id1', 'enforce', ['mx.example.test'])
  t.match(
    await connect(t, service).ask('policy-3.10 example.test'),
    /^OK may .* policy_failure=sts-webpki-invalid$/,
  )
  await service.stop?.()
})
