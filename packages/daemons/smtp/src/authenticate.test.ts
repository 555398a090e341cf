/**
 * authenticate.test - AUTH against scripted servers: what the real smtp(8) cannot do, or does otherwise
 *
 * What both do alike is in test/parity/smtp-sasl.test.ts.
 */
import { join } from 'node:path'
import { writeFileSync } from 'node:fs'
import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { ScriptedPeer, type PeerOptions, type Script } from '@posthorn/testing/scripted-peer'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { rootPem } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import { Authenticator } from './authenticate.ts'
import { TestWorld, type Outcome } from './test/test-world.ts'

interface Test {
  teardown: (undo: () => unknown) => unknown
}

const enabled = {
  smtp_sasl_auth_enable: 'yes',
  smtp_sasl_password_maps: 'static:user:token',
  smtp_sasl_security_options: 'noanonymous',
}

async function deliver(
  test: Test,
  words: string,
  replies: Script,
  settings: Record<string, string> = {},
  more: PeerOptions = {},
): Promise<Outcome & { said: string[] }> {
  const peer = await ScriptedPeer.start({ extensions: [`AUTH ${words}`], replies, ...more })
  test.teardown(async () => peer.close())
  const world = await TestWorld.start(test, { ...enabled, ...settings })
  const outcome = await world.deliver({ nexthop: `[127.0.0.1]:${peer.port}` })
  await waitFor(() => peer.sessions.every((session) => session.isClosed), 'the end of all sessions')
  const said = peer.commands.map((line) => line.replace(String(peer.port), 'PORT'))
  return { ...outcome, said: said.slice(0, said.indexOf('QUIT')) }
}

function decoded(line: string | undefined): string {
  return Buffer.from(line?.split(' ').at(-1) ?? '', 'base64').toString('latin1')
}

const refusal = `334 ${Buffer.from('{"status":"invalid_token"}').toString('base64')}`

t.test('XOAUTH2: a token that is right, and one that is not', async (t) => {
  const right = await deliver(t, 'XOAUTH2', { AUTH: '235 2.7.0 ok' })
  t.match(right.log[0], /status=sent/)
  t.match(right.said[1], /^AUTH XOAUTH2 \S+$/)
  t.equal(decoded(right.said[1]), 'user=user\x01auth=Bearer token\x01\x01')
  const wrong = await deliver(t, 'XOAUTH2', {
    AUTH: refusal,
    '334 ': '535-5.7.8 no\r\n535 5.7.8 no',
  })
  t.same(wrong.said.slice(2), [''])
  t.match(
    wrong.log[0],
    /dsn=4\.7\.8, status=deferred \(SASL authentication failed; server 127\.0\.0\.1\[127\.0\.0\.1\] said: 535-5\.7\.8 no\?535 5\.7\.8 no\)/,
  )
  t.match(wrong.hopStatus, {
    diagnosticType: 'smtp',
    diagnosticText: '535-5.7.8 no\n535 5.7.8 no',
    remoteMtaType: 'dns',
    remoteMtaName: '127.0.0.1',
  })
})

t.test('OAUTHBEARER: a token that is right, and one that is not', async (t) => {
  const right = await deliver(t, 'OAUTHBEARER', { AUTH: '235 2.7.0 ok' })
  t.match(right.log[0], /status=sent/)
  t.match(
    decoded(right.said[1]),
    /^n,a=user,\x01host=127\.0\.0\.1\x01port=\d+\x01auth=Bearer token\x01\x01$/,
  )
  const wrong = await deliver(t, 'OAUTHBEARER', { AUTH: refusal, '334 ': '535 5.7.8 no' })
  t.equal(decoded(wrong.said[2]), '\x01')
  t.match(wrong.log[0], /dsn=4\.7\.8, status=deferred/)
})

t.test('a password is no token, where the server takes both; the filter chooses', async (t) => {
  const offered = 'OAUTHBEARER XOAUTH2 LOGIN PLAIN'
  const refused = { AUTH: '535 5.7.8 no' }
  t.match((await deliver(t, offered, refused)).said[1], /^AUTH PLAIN /)
  const filter = { smtp_sasl_mechanism_filter: 'xoauth2' }
  t.match((await deliver(t, offered, refused, filter)).said[1], /^AUTH XOAUTH2 /)
  const lmtp = { smtp_sasl_mechanism_filter: 'fail:x' }
  t.match(
    (await deliver(t, offered, refused, lmtp)).log.at(-1),
    /dsn=4\.3\.0, status=deferred \(local data error/,
  )
})

t.test('a server that never ends', async (t) => {
  const { said, log, hopStatus } = await deliver(t, 'XOAUTH2', { AUTH: '334 ', '334 ': '334 ' })
  t.equal(said.length, 102)
  t.match(
    log[0],
    /dsn=4\.3\.0, status=deferred \(SASL authentication failed; authentication protocol loop with server /,
  )
  t.match(hopStatus, { diagnosticType: 'x-sasl', diagnosticText: 'protocol error' })
})

t.test('a server that has to prove itself, and does not', async (t) => {
  for (const words of ['SCRAM-SHA-256', 'DIGEST-MD5']) {
    const { log } = await deliver(t, words, { AUTH: '235 2.7.0 ok' })
    t.match(
      log[0],
      new RegExp(`^warning: SASL authentication failure: ${words}: the server has not`),
    )
    t.match(
      log[1],
      /dsn=4\.7\.0, status=deferred \(SASL .*: server failed mutual authentication step\)/,
    )
  }
})

t.test(
  'what is too long for one line waits for an empty challenge, and for no other',
  async (t) => {
    const long = { smtp_sasl_password_maps: `static:user:${'p'.repeat(400)}` }
    const secret = Buffer.from(`\0user\0${'p'.repeat(400)}`).toString('base64')
    const right = await deliver(t, 'PLAIN', { AUTH: '334 ', '334 ': '235 ok' }, long)
    t.same(right.said.slice(1, 3), ['AUTH PLAIN', secret])
    const hello = `334 ${Buffer.from('hello\x07').toString('base64')}`
    const wrong = await deliver(t, 'PLAIN', { AUTH: hello }, long)
    t.same(wrong.said.slice(1), ['AUTH PLAIN'])
    t.match(
      wrong.log[0],
      /dsn=4\.7\.0, .*; non-empty initial PLAIN challenge from server 127\.0\.0\.1\[127\.0\.0\.1\]: hello\?\)/,
    )
  },
)

t.test('a challenge that is no base64', async (t) => {
  for (const text of ['!!!', 'VXN', 'VXNlcg== ']) {
    const { log } = await deliver(t, 'LOGIN', { AUTH: `334 ${text}` })
    t.match(log.at(-1), /cannot authenticate to server .*: bad protocol \/ cancel\)/, text)
  }
})

t.test('between user and password stands what the administrator says', async (t) => {
  const { said } = await deliver(
    t,
    'PLAIN',
    { AUTH: '235 ok' },
    {
      smtp_sasl_password_result_delimiter: '|',
      smtp_sasl_password_maps: 'static:a:b|c|d',
    },
  )
  t.equal(decoded(said[1]), '\0a:b\0c|d')
})

t.test('security options by what the connection gives', async (t) => {
  const root = join(temporaryDirectory(t), 'root.pem')
  writeFileSync(root, rootPem())
  const settings = {
    smtp_tls_CAfile: root,
    smtp_sasl_security_options: 'mutual_auth',
    smtp_sasl_tls_security_options: 'noplaintext',
    smtp_sasl_tls_verified_security_options: 'noanonymous',
  }
  const choice = async (level: string): Promise<string | undefined> => {
    const all = ['AUTH DIGEST-MD5 CRAM-MD5 PLAIN LOGIN']
    const cheap = ['AUTH CRAM-MD5 PLAIN LOGIN']
    const { said } = await deliver(
      t,
      '',
      { AUTH: '535 5.7.8 no' },
      { ...settings, smtp_tls_security_level: level, smtp_tls_secure_cert_match: 'mx.test' },
      {
        extensions: level === 'none' ? all : cheap,
        tls: {
          certificate: { names: ['mx.test'] },
          extensions: level === 'secure' ? ['AUTH LOGIN'] : cheap,
        },
      },
    )
    return said.find((line) => line.startsWith('AUTH'))
  }
  t.equal(await choice('none'), 'AUTH DIGEST-MD5')
  t.equal(await choice('encrypt'), 'AUTH CRAM-MD5')
  t.equal(await choice('secure'), 'AUTH LOGIN')
})

t.test('open() ends where the configuration makes no sense', (t) => {
  const open = (settings: Record<string, string>, protocol: 'smtp' | 'lmtp' = 'smtp'): unknown =>
    Authenticator.open(MainConfig.of(settings), protocol)
  t.equal(open({}), undefined)
  t.equal(open({ lmtp_sasl_auth_enable: 'yes' }), undefined)
  for (const protocol of ['smtp', 'lmtp'] as const) {
    const set = (more: Record<string, string>): Record<string, string> =>
      Object.fromEntries(
        Object.entries({ auth_enable: 'yes', password_maps: 'static:user:pass', ...more }).map(
          ([name, value]) => [`${protocol}_sasl_${name}`, value],
        ),
      )
    t.ok(open(set({}), protocol))
    t.throws(() => open(set({ password_maps: '' }), protocol), {
      message: `specify a password table via the \`${protocol}_sasl_password_maps' configuration parameter`,
    })
    t.throws(() => open(set({ type: 'dovecot' }), protocol), {
      message: 'SASL library initialization',
      warnings: ['unsupported SASL client implementation: dovecot'],
    })
    for (const name of ['security', 'tls_security', 'tls_verified_security']) {
      t.throws(() => open(set({ [`${name}_options`]: 'noplaintext, x' }), protocol), {
        message: 'SASL per-connection initialization failed',
        warnings: [
          'unknown SASL security options value "x" in "noplaintext, x"',
          'bad per-session SASL security properties',
        ],
      })
    }
    t.throws(() => open(set({ auth_cache_name: 'btree:/tmp/x' }), protocol), {
      message: 'SASL authentication cache name "btree:/tmp/x" must start with "proxy:"',
    })
    t.ok(open(set({ auth_cache_name: 'proxy:btree:/tmp/x' }), protocol))
  }
  t.end()
})
