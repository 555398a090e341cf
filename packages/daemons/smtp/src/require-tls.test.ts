import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { ConfigError } from '@posthorn/config/config-error'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { FakeDns } from '@posthorn/testing/fake-dns'
import { ScriptedPeer, type PeerOptions } from '@posthorn/testing/scripted-peer'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { rootPem } from '@posthorn/testing/test-certificates'
import { SENDOPT_FLAGS } from '@posthorn/wire/attr-groups'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import { RequireTlsPolicy } from './require-tls.ts'
import { TestWorld, type Outcome } from './test/test-world.ts'

const { requireTls, tlsOptional } = SENDOPT_FLAGS

interface Test {
  teardown: (undo: () => unknown) => unknown
}

interface World {
  /** `options`: SENDOPT_FLAGS. */
  deliver: (options: number, flags?: number, nexthop?: string) => Promise<Outcome>
  peers: readonly ScriptedPeer[]
}

/** a.test has the MX hosts mx1.a.test, mx2.a.test, and so on: the peers, at 127.0.0.1, 127.0.0.2, ... on one port. */
async function world(
  test: Test,
  settings: Record<string, string>,
  scripts: readonly (PeerOptions | 'dead')[],
  concurrency = 1,
): Promise<World> {
  const peers: ScriptedPeer[] = []
  let port = 0
  for (const [at, script] of scripts.entries()) {
    if (script === 'dead') continue
    const address = `127.0.0.${at + 1}`
    const peer = await ScriptedPeer.start({ ...script, address, port })
    test.teardown(async () => peer.close())
    port = peer.port
    peers.push(peer)
  }
  const hosts = scripts.map((_, at) => [`mx${at + 1}.a.test`, { A: [`127.0.0.${at + 1}`] }])
  const dns = await FakeDns.start({
    'a.test': { MX: scripts.map((_, at) => [at, `mx${at + 1}.a.test`] as const) },
    ...(Object.fromEntries(hosts) as Record<string, { A: string[] }>),
  })
  test.teardown(async () => dns.close())
  const root = join(temporaryDirectory(test), 'root.pem')
  writeFileSync(root, rootPem())
  const one = await TestWorld.start(
    test,
    {
      dns_nameservers: dns.nameservers,
      smtp_dns_resolver_options: '',
      smtp_tls_CAfile: root,
      smtp_tls_verify_cert_match: 'hostname',
      mydomain: 'home.example',
      ...settings,
    },
    { concurrency },
  )
  test.teardown(async () => one.client.cache.handOver())
  return {
    peers,
    deliver: async (smtpUtf8, flags = DELIVERY_FLAGS.success, nexthop = `a.test:${port}`) =>
      one.deliver({ nexthop, request: { smtpUtf8, flags } }),
  }
}

const named = (name: string, extensions: string[] = ['REQUIRETLS']): PeerOptions => ({
  tls: { certificate: { names: [name] }, extensions },
})
const good = named('mx1.a.test')
const verify = { smtp_tls_security_level: 'verify' }
const may = { smtp_tls_security_level: 'may' }

/** The last word about the recipient, and what MAIL was like at each peer. */
async function fate({ deliver, peers }: World, options: number): Promise<[string, string[]]> {
  const { log } = await deliver(options)
  const last = /dsn=.*/.exec(log.at(-1) ?? '')?.[0].replace(/127\.0\.0\.(\d)/g, '$1') ?? ''
  const mails = peers.map((peer) => {
    const commands = peer.sessions.flatMap((one) => [...one.commands, ...one.tlsCommands])
    return commands.find((line) => line.startsWith('MAIL'))?.replace(/^.*?> ?/, '') ?? 'none'
  })
  return [last, mails]
}

t.test(
  'RequireTlsPolicy.find(): by next-hop and parents, in the order of the parameter',
  async (t) => {
    const settings = { mydomain: 'home.test', myhostname: 'mx.home.test' }
    const policy = (
      more: Record<string, string> = {},
      protocol: 'smtp' | 'lmtp' = 'smtp',
    ): RequireTlsPolicy | undefined =>
      RequireTlsPolicy.open(MainConfig.of({ ...settings, ...more }), protocol)
    const cases: [string, string, string][] = [
      ['', 'home.test', 'ask'],
      ['', 'sub.home.test', 'ask'],
      ['', 'localhost', 'ask'],
      ['', '192.0.2.1', 'ask'],
      ['', '2001:db8::1', 'ask'],
      ['', 'nothome.test', 'verify'],
      ['inline:{a.test=disable}', 'a.test', 'none'],
      ['inline:{a.test=disable}', 'b.a.test', 'verify'],
      ['inline:{.a.test=opportunistic+starttls} opportunistic', 'c.b.a.test', 'encrypt'],
      ['inline:{.a.test=opportunistic+starttls} opportunistic', 'a.test', 'ask'],
      ['static:enforce, opportunistic', 'a.test', 'verify'],
      ['static:bogus', 'a.test', 'tryAgain'],
      ['fail:x opportunistic', 'a.test', 'tryAgain'],
    ]
    const captured = captureLog()
    for (const [text, domain, expected] of cases) {
      const one = policy(text === '' ? {} : { smtp_requiretls_policy: text })
      t.equal(await one?.find(domain), expected, `${text} ${domain}`)
    }
    const idn = Buffer.from('bücher.test').toString('latin1')
    t.equal(
      await policy({ mydomain: idn, smtputf8_enable: 'yes' })?.find('xn--bcher-kva.test'),
      'ask',
      'domain_to_ascii in the default',
    )
    t.equal(await policy()?.find(Buffer.from('x.bücher.test').toString('latin1')), 'verify')
    captured.restore()
    t.match(captured.lines, [
      'warning: smtp_requiretls_policy: bad action "bogus" for a.test',
      /fail:x/,
      'warning: smtp_requiretls_policy lookup error for a.test',
    ])
    t.equal(await policy({}, 'lmtp')?.find('a.test'), 'ask')
    t.equal(await policy({ lmtp_requiretls_policy: 'disable' }, 'lmtp')?.find('a.test'), 'none')
    t.equal(policy({ requiretls_enable: 'no' }), undefined)
    t.throws(() => policy({ smtp_requiretls_policy: 'often' }), ConfigError)
  },
)

t.test(
  'REQUIRETLS, enforce: a verified server that offers it, or the mail goes back',
  async (t) => {
    const cases: [string, Record<string, string>, (PeerOptions | 'dead')[], RegExp, string[]][] = [
      ['good', verify, [good], /^dsn=2\.0\.0.*status=sent/, ['REQUIRETLS']],
      [
        'not offered',
        verify,
        [named('mx1.a.test', [])],
        /^dsn=5\.7\.30.*status=bounced \(REQUIRETLS is required, but was not offered by host mx1\.a\.test\[1\]\)/,
        ['none'],
      ],
      [
        'offered in plaintext only',
        verify,
        [{ extensions: ['REQUIRETLS'], ...named('mx1.a.test', []) }],
        /^dsn=5\.7\.30.*status=bounced/,
        ['none'],
      ],
      [
        'wrong certificate',
        verify,
        [named('b.test')],
        /^dsn=5\.7\.30.*status=bounced \(REQUIRETLS is required, but the certificate of host mx1\.a\.test\[1\] is not verified\)/,
        ['none'],
      ],
      [
        'no TLS',
        verify,
        [{}],
        /^dsn=5\.7\.30.*status=bounced \(REQUIRETLS is required, but TLS was not offered by host mx1\.a\.test\[1\]\)/,
        ['none'],
      ],
      [
        'nothing to verify by',
        may,
        [good],
        /^dsn=5\.7\.30.*status=bounced \(REQUIRETLS is required, but there is no policy to verify host mx1\.a\.test\[1\]\)/,
        ['none'],
      ],
      ['no TLS of our own', {}, [good], /^dsn=5\.7\.30.*status=bounced/, ['none']],
      [
        'the second one is good',
        verify,
        [{}, named('mx2.a.test')],
        /status=sent/,
        ['none', 'REQUIRETLS'],
      ],
      [
        'none of two',
        verify,
        [named('mx1.a.test', []), {}],
        /^dsn=5\.7\.30.*status=bounced/,
        ['none', 'none'],
      ],
      [
        'one cannot be reached',
        verify,
        ['dead', named('mx2.a.test', [])],
        /^dsn=4\.7\.30.*status=deferred/,
        ['none'],
      ],
      [
        'the last cannot be reached',
        verify,
        [named('mx1.a.test', []), 'dead'],
        /^dsn=4\.4\.1.*status=deferred/,
        ['none'],
      ],
      [
        'a handshake that fails',
        verify,
        [{ ...good, replies: { handshake: { close: true } } }],
        /^dsn=4\.7\.5.*status=deferred/,
        ['none'],
      ],
      [
        'discarded',
        { ...verify, smtp_discard_ehlo_keywords: 'requiretls' },
        [good],
        /^dsn=5\.7\.30.*status=bounced/,
        ['none'],
      ],
      ['switched off', { ...may, requiretls_enable: 'no' }, [{}], /status=sent/, ['']],
      [
        'policy unknown',
        { ...verify, smtp_requiretls_policy: 'fail:x' },
        [good],
        /^dsn=4\.3\.0.*status=deferred \(REQUIRETLS policy lookup error\)/,
        ['none'],
      ],
      [
        'soft bounces',
        { ...verify, soft_bounce: 'yes' },
        [{}],
        /^dsn=4\.7\.30.*status=(SOFTBOUNCE|deferred)/,
        ['none'],
      ],
    ]
    for (const [name, settings, scripts, expected, mails] of cases) {
      const [last, seen] = await fate(await world(t, settings, scripts), requireTls)
      t.match(last, expected, name)
      t.same(seen, mails, name)
    }
  },
)

t.test('REQUIRETLS, where policy is less strict', async (t) => {
  const policy = (action: string): Record<string, string> => ({
    ...may,
    smtp_requiretls_policy: action,
  })
  const cases: [string, PeerOptions, RegExp, string][] = [
    ['opportunistic', named('b.test'), /status=sent/, 'REQUIRETLS'],
    ['opportunistic', named('b.test', []), /status=sent/, ''],
    ['opportunistic', {}, /status=sent/, ''],
    ['opportunistic', { extensions: ['REQUIRETLS'] }, /status=sent/, ''],
    ['opportunistic+starttls', named('b.test'), /status=sent/, 'REQUIRETLS'],
    ['opportunistic+starttls', named('b.test', []), /status=sent/, ''],
    [
      'opportunistic+starttls',
      {},
      /^dsn=5\.7\.30.*status=bounced \(REQUIRETLS is required, but TLS was not offered by/,
      'none',
    ],
    ['disable', good, /status=sent/, ''],
  ]
  for (const [action, script, expected, mail] of cases) {
    const [last, seen] = await fate(await world(t, policy(action), [script]), requireTls)
    const name = `${action} ${JSON.stringify(script)}`
    t.match(last, expected, name)
    t.same(seen, [mail], name)
  }
  const without = await world(t, { smtp_requiretls_policy: 'opportunistic+starttls' }, [good])
  t.match(
    (await fate(without, requireTls))[0],
    /^dsn=5\.7\.30.*\(REQUIRETLS is required, but there is no TLS for host/,
  )
  const other = await world(t, verify, [named('mx1.a.test', [])])
  t.match((await fate(other, 0))[0], /status=sent/, 'who does not ask is not refused')
})

t.test('TLS-Required: No: policies do not count', async (t) => {
  const cases: [string, Record<string, string>, PeerOptions, number, RegExp][] = [
    ['plaintext', verify, {}, tlsOptional, /status=sent/],
    ['wrong certificate', verify, named('b.test'), tlsOptional, /status=sent/],
    ['broken policy', { smtp_tls_policy_maps: 'fail:x' }, {}, tlsOptional, /status=sent/],
    [
      'unknown policy',
      { smtp_tls_policy_maps: 'static:dane-only' },
      {},
      tlsOptional,
      /status=sent/,
    ],
    ['switched off', { ...verify, tls_required_enable: 'no' }, {}, tlsOptional, /^dsn=4\.7\.4/],
    [
      'with a password',
      { ...verify, smtp_sasl_auth_enable: 'yes', smtp_sasl_password_maps: 'static:u:p' },
      {},
      tlsOptional,
      /^dsn=4\.7\.4/,
    ],
    ['REQUIRETLS counts more', verify, {}, tlsOptional | requireTls, /^dsn=5\.7\.30/],
    [
      'but not where it is disabled',
      { ...verify, smtp_requiretls_policy: 'disable' },
      {},
      tlsOptional | requireTls,
      /status=sent/,
    ],
  ]
  for (const [name, settings, script, options, expected] of cases) {
    const [last] = await fate(await world(t, settings, [script]), options)
    t.match(last, expected, name)
  }
  const secured = await world(t, may, [good])
  await secured.deliver(tlsOptional)
  t.ok(secured.peers[0]?.commands.includes('STARTTLS'), 'TLS all the same, where it is offered')
  const none = await world(t, { smtp_tls_policy_maps: 'static:none' }, [good])
  await none.deliver(tlsOptional)
  t.notOk(none.peers[0]?.commands.includes('STARTTLS'), 'but not where it is off')
})

t.test('a cached connection serves only whom it is good enough for', async (t) => {
  const { connectionLoad, connectionStore, success } = DELIVERY_FLAGS
  const flags = success | connectionLoad | connectionStore
  const strong = await world(t, verify, [good], 10)
  await strong.deliver(requireTls, flags)
  await strong.deliver(0, flags)
  await strong.deliver(requireTls, flags)
  t.equal(strong.peers[0]?.sessions.length, 1)
  t.same(
    strong.peers[0]?.sessions[0]?.tlsCommands.filter((line) => line.startsWith('MAIL')),
    [' REQUIRETLS', '', ' REQUIRETLS'].map((end) => `MAIL FROM:<from@example.test>${end}`),
  )
  const weak = await world(t, verify, [good, good], 10)
  await weak.deliver(tlsOptional, flags)
  await weak.deliver(0, flags)
  t.equal(weak.peers[0]?.sessions.length, 2, 'one that no policy has seen is not kept')
  const plain = await world(
    t,
    { ...may, smtp_requiretls_policy: 'opportunistic+starttls' },
    [
      {
        replies: { EHLO: ['250 peer.test', '250-peer.test\r\n250 STARTTLS', '250 peer.test'] },
        tls: {},
      },
    ],
    10,
  )
  await plain.deliver(0, flags)
  const { log } = await plain.deliver(requireTls, flags)
  t.match(log.at(-1), /status=sent/)
  t.equal(plain.peers[0]?.sessions.length, 2, 'one in plaintext is not used')
})
