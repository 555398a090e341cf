import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { rootPem, type CertificateRequest } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import type { SessionStore } from '@posthorn/tls/session-store'
import { DELIVERY_FLAGS, noStats } from '@posthorn/wire/delivery-request'
import type { SmtpClient } from './smtp-client.ts'
import { TestWorld, type Mail, type Outcome } from './test/test-world.ts'

interface Test {
  teardown: (undo: () => unknown) => unknown
}

interface World {
  peer: ScriptedPeer
  client: SmtpClient
  deliver: (mail?: Partial<Mail>) => Promise<Outcome>
}

/** `$port`, `$root` (file of the trusted root) in the settings are filled in. */
async function world(
  test: Test,
  settings: Record<string, string>,
  script: PeerOptions | 'withoutTls' = {},
  concurrency = 1,
  sessions?: SessionStore,
): Promise<World> {
  const peer = await ScriptedPeer.start({
    extensions: ['PIPELINING'],
    ...(script === 'withoutTls' ? {} : { tls: {}, ...script }),
  })
  test.teardown(async () => peer.close())
  const root = join(temporaryDirectory(test), 'root.pem')

  writeFileSync(root, rootPem())
  const filled = Object.entries(settings).map(([name, value]) => [
    name,
    value.replaceAll('$port', String(peer.port)).replaceAll('$root', root),
  ])
  const client = await TestWorld.start(
    test,
    { smtp_tls_loglevel: '1', ...(Object.fromEntries(filled) as Record<string, string>) },
    { concurrency, ...(sessions && { sessions }) },
  )
  test.teardown(async () => client.client.cache.handOver())
  const nexthop = `[127.0.0.1]:${peer.port}`
  return {
    peer,
    client: client.client,
    deliver: async (mail) => client.deliver({ nexthop, ...mail }),
  }
}

const established =
  /^(\w+) TLS connection established to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: TLSv1\.3 /

t.test('STARTTLS, and everything said before is forgotten', async (t) => {
  const { peer, deliver } = await world(
    t,
    { smtp_tls_security_level: 'may' },
    { extensions: ['SIZE 1'], tls: { extensions: ['PIPELINING', 'STARTTLS'] } },
  )
  const { log } = await deliver()
  t.match(log[0], established)
  t.match(log[0], /^Untrusted /)
  t.match(log.at(-1), /status=sent/)
  t.same(peer.sessions[0]?.commands.slice(0, 2), ['EHLO client.test', 'STARTTLS'])
  t.same(peer.sessions[0]?.tlsCommands.slice(0, 2), [
    'EHLO client.test',
    'MAIL FROM:<from@example.test>',
  ])
})

t.test('what a level asks of the certificate', async (t) => {
  const named = { names: ['mx.test'] }
  const self = { ...named, issuer: 'self' } as const
  const cases: [string, CertificateRequest, Record<string, string>, string][] = [
    ['may', named, {}, 'Trusted'],
    ['may', self, {}, 'Untrusted'],
    ['encrypt', self, {}, 'Untrusted'],
    ['verify', named, { smtp_tls_verify_cert_match: 'mx.test' }, 'Verified'],
    ['verify', named, { smtp_tls_verify_cert_match: 'other.test' }, 'refused'],
    ['secure', { names: ['a.mx.test'] }, { smtp_tls_secure_cert_match: '.mx.test' }, 'Verified'],
    ['secure', self, { smtp_tls_secure_cert_match: 'mx.test' }, 'refused'],
    [
      'verify',
      named,
      { smtp_tls_verify_cert_match: 'mx.test', smtp_tls_trust_anchor_file: '$root' },
      'Verified',
    ],
    ['fingerprint', self, { smtp_tls_fingerprint_cert_match: '00:11' }, 'refused'],
  ]
  for (const [level, certificate, settings, expected] of cases) {
    const { peer, deliver } = await world(
      t,
      { smtp_tls_security_level: level, smtp_tls_CAfile: '$root', ...settings },
      { tls: { certificate } },
    )
    const { log } = await deliver()
    const name = `${level} ${JSON.stringify(settings)}`
    if (expected === 'refused') {
      t.match(log.at(-1), /dsn=4\.7\.5, status=deferred \(Server certificate not verified\)/, name)
      await waitFor(() => peer.commands.at(-1) === 'QUIT', 'QUIT')
    } else {
      t.match(log.at(-1), /status=sent/, `${name}: ${log.join('\n')}`)
      t.equal(established.exec(log[0] ?? '')?.[1], expected, name)
    }
  }
})

t.test('STARTTLS refused, not offered, or in vain', async (t) => {
  const vain = { replies: { handshake: { close: true } } }
  const cases: [string, PeerOptions | 'withoutTls', RegExp, boolean][] = [
    ['may', 'withoutTls', /status=sent/, false],
    ['may', { replies: { STARTTLS: '454 4.7.0 not now' } }, /status=sent/, false],
    [
      'encrypt',
      { replies: { STARTTLS: '454 4.7.0 not now' } },
      /dsn=4\.7\.0, status=deferred \(TLS is required, but host 127\.0\.0\.1\[127\.0\.0\.1\] refused to start TLS: 454 4\.7\.0 not now\)/,
      true,
    ],
    ['encrypt', { replies: { STARTTLS: '554 5.7.0 never' } }, /dsn=5\.7\.0, status=bounced/, false],
    ['may', vain, /dsn=4\.7\.5, status=deferred \(Cannot start TLS: handshake failure\)/, false],
    ['encrypt', vain, /dsn=4\.7\.5, status=deferred \(Cannot start TLS: handshake failure\)/, true],
  ]
  for (const [level, script, expected, isThrottled] of cases) {
    const { peer, deliver } = await world(t, { smtp_tls_security_level: level }, script)
    const { log, hopStatus } = await deliver()
    t.match(log.at(-1), expected, level)
    t.equal(hopStatus !== undefined, isThrottled, `${level}: ${String(expected)}`)
    t.equal(peer.sessions.length, 1)
    if (script === vain) t.notOk(peer.commands.includes('QUIT'), 'nothing can be said any more')
  }
})

t.test('without an engine mail waits where TLS is required', async (t) => {
  const settings = { smtp_tls_CAfile: '/nonexistent/ca.pem' }
  const optional = await world(t, { smtp_tls_security_level: 'may', ...settings })
  t.match((await optional.deliver()).log.at(-1), /status=sent/)
  t.notOk(optional.peer.commands.includes('STARTTLS'))
  const required = await world(t, { smtp_tls_security_level: 'encrypt', ...settings })
  t.match(
    (await required.deliver()).log.at(-1),
    /dsn=4\.7\.5, status=deferred \(TLS is required, but our TLS engine is unavailable\)/,
  )
})

t.test('mail that has waited goes in plaintext where TLS is optional and fails', async (t) => {
  const script = { replies: { handshake: { close: true } } }
  const old = {
    request: { stats: { ...noStats, arrivalMs: Date.now() - 3_600_000, activeMs: Date.now() } },
  }
  const may = await world(t, { smtp_tls_security_level: 'may' }, script)
  const { log } = await may.deliver(old)
  t.match(log.slice(-2), [
    '0123456789A: Cannot start TLS: handshake failure',
    /^0123456789A: to=<to@example\.test>, relay=127\.0\.0\.1\[127\.0\.0\.1\]:\d+, dsn=2\.0\.0, status=sent/,
  ])
  t.equal(may.peer.sessions.length, 2)
  t.same(may.peer.sessions[1]?.commands.slice(0, 2), [
    'EHLO client.test',
    'MAIL FROM:<from@example.test>',
  ])
  const encrypt = await world(t, { smtp_tls_security_level: 'encrypt' }, script)
  t.match((await encrypt.deliver(old)).log.at(-1), /status=deferred/)
  const password = await world(
    t,
    {
      smtp_tls_security_level: 'may',
      smtp_sasl_auth_enable: 'yes',
      smtp_sasl_password_maps: 'inline:{127.0.0.1=user:secret}',
    },
    script,
  )
  t.match((await password.deliver(old)).log.at(-1), /status=deferred/)
  t.equal(password.peer.sessions.length, 1)
  const lost = await world(
    t,
    { smtp_tls_security_level: 'may' },
    { replies: { MAIL: [{ close: true }, '250 ok'] }, extensions: [] },
  )
  const outcome = await lost.deliver(old)
  t.match(outcome.log.slice(-2), [
    '0123456789A: lost connection with 127.0.0.1[127.0.0.1] while sending MAIL FROM',
    /status=sent/,
  ])
  t.same(
    lost.peer.sessions.map((session) => session.tlsCommands.length > 0),
    [true, false],
  )
})

t.test('wrapper mode: TLS before the greeting', async (t) => {
  const tls = { isWrapper: true, certificate: { names: ['mx.test'] } }
  const { peer, deliver } = await world(
    t,
    { smtp_tls_wrappermode: 'yes', smtp_tls_security_level: 'encrypt' },
    { tls },
  )
  const { log } = await deliver()
  t.match(log[0], established)
  t.match(log.at(-1), /status=sent/)
  t.notOk(peer.commands.includes('STARTTLS'))
  const weak = await world(
    t,
    { smtp_tls_wrappermode: 'yes', smtp_tls_security_level: 'may' },
    { tls },
  )
  t.match((await weak.deliver()).log, [
    'smtp_tls_wrappermode requires "smtp_tls_security_level = encrypt" (or stronger)',
    /relay=none, dsn=4\.3\.0, status=deferred \(server unavailable or unable to receive mail\)/,
  ])
})

t.test('smtp_tls_note_starttls_offer: only where TLS is off', async (t) => {
  const note = { smtp_tls_note_starttls_offer: 'yes' }
  const off = await world(t, note)
  t.match((await off.deliver()).log[0], 'Host offered STARTTLS: [127.0.0.1]')
  const on = await world(t, { ...note, smtp_tls_security_level: 'may' })
  t.notMatch((await on.deliver()).log.join('\n'), /Host offered/)
})

t.test(
  'smtp_tls_block_early_mail_reply: who answers before the question is not heard',
  async (t) => {
    const { deliver } = await world(
      t,
      { smtp_tls_security_level: 'may', smtp_tls_block_early_mail_reply: 'yes' },
      {
        replies: { EHLO: ['250-peer\r\n250 STARTTLS', '250-peer\r\n250 DSN\r\n250 2.1.0 Ok'] },
        tls: {},
      },
    )
    t.match((await deliver()).log.slice(-2), [
      'server 127.0.0.1[127.0.0.1] violates smtp_tls_block_early_mail_reply policy',
      /dsn=4\.7\.0, status=deferred \(unexpected server message\)/,
    ])
  },
)

t.test('TLS connections are used again by this process, unless told otherwise', async (t) => {
  const { connectionLoad, connectionStore, success } = DELIVERY_FLAGS
  const request = { flags: success | connectionLoad | connectionStore }
  for (const [settings, concurrency, sessionCount] of [
    [{}, 10, 1],
    [{}, 1, 3],
    [{ smtp_tls_connection_reuse: 'no' }, 10, 3],
    [
      { smtp_tls_policy_maps: 'inline:{ { [127.0.0.1]:$port = encrypt connection_reuse=no } }' },
      10,
      3,
    ],
  ] as const) {
    const where = `${JSON.stringify(settings)} ${concurrency}`
    const { peer, deliver } = await world(
      t,
      { smtp_tls_security_level: 'encrypt', ...settings },
      {},
      concurrency,
    )
    await deliver({ request })
    await deliver({ request })
    const { log } = await deliver({ request })
    t.equal(peer.sessions.length, sessionCount, where)
    t.equal(peer.messages.length, 3, where)
    if (sessionCount > 1) continue
    t.match(
      log[0],
      /^Untrusted TLS connection reused to 127\.0\.0\.1\[127\.0\.0\.1\]:\d+: TLSv1\.3 /,
    )
    t.match(log[1], /conn_use=3/)
  }
})

t.test(
  'TLS connections that are kept here: closed by the server, or with the process',
  async (t) => {
    const { connectionLoad, connectionStore, success } = DELIVERY_FLAGS
    const request = { flags: success | connectionLoad | connectionStore }
    const settings = { smtp_tls_security_level: 'encrypt', smtp_tls_loglevel: '0' }
    const closing = await world(
      t,
      settings,
      { replies: { '.': { text: '250 2.0.0 Ok', close: true } } },
      10,
    )
    await closing.deliver({ request })
    const { log } = await closing.deliver({ request })
    t.match(log, [/^0123456789A: to=<to@example\.test>, relay=[^,]*, dsn=2\.0\.0, status=sent/])
    t.equal(closing.peer.sessions.length, 2)
    const kept = await world(t, settings, {}, 10)
    await kept.deliver({ request })
    const again = await kept.deliver({ request })
    t.match(again.log, [/conn_use=2/], 'nor is it worth a line that TLS was there before')
    t.notOk(kept.peer.sessions[0]?.isClosed)
    await kept.client.cache.handOver()
    await waitFor(() => kept.peer.sessions[0]?.isClosed === true, 'the end')
    t.notOk(kept.peer.commands.includes('QUIT'))
  },
)

t.test('a connection that was verified for one destination serves no other', async (t) => {
  const { connectionLoad, connectionStore, success } = DELIVERY_FLAGS
  const request = { flags: success | connectionLoad | connectionStore }
  const { peer, deliver } = await world(
    t,
    {
      smtp_tls_security_level: 'verify',
      smtp_tls_verify_cert_match: 'mx.test',
      smtp_tls_CAfile: '$root',
    },
    { tls: { certificate: { names: ['mx.test'] } } },
    10,
  )
  await deliver({ request })
  await deliver({ request })
  t.equal(peer.sessions.length, 1)
  await deliver({ request, nexthop: `127.0.0.1:${peer.port}` })
  t.equal(peer.sessions.length, 2, 'written differently')
})

t.test('a TLS session is resumed for the same server of the same destination', async (t) => {
  const known = new Map<string, string>()
  const sessions: SessionStore = {
    policy: async () => Promise.resolve({ isCachable: true, timeoutSeconds: 3600 }),
    lookup: async (id) => Promise.resolve(known.get(id)),
    update: async (id, session) => {
      known.set(id, session)
      return Promise.resolve()
    },
    delete: async (id) => {
      known.delete(id)
      return Promise.resolve()
    },
  }
  const { peer, deliver } = await world(
    t,
    {
      smtp_tls_security_level: 'verify',
      smtp_tls_verify_cert_match: 'mx.test',
      smtp_tls_CAfile: '$root',
      smtp_tls_connection_reuse: 'no',
    },
    { tls: { certificate: { names: ['mx.test'] } } },
    1,
    sessions,
  )
  await deliver()
  await waitFor(() => known.size > 0, 'a session to keep')
  t.match([...known.keys()], [/^smtp&\[127\.0\.0\.1\]:\d+&127\.0\.0\.1&127\.0\.0\.1&/])
  const { log } = await deliver()
  t.match(log[0], /^Verified TLS connection established/)
  await deliver({ nexthop: `127.0.0.1:${peer.port}` })
  t.same(
    peer.sessions.map((session) => session.tls?.isResumed),
    [false, true, false],
    'not for a destination of another name',
  )
})
