/**
 * real-peers - delivery to servers that are nobody's mock: Dovecot, by LMTP and by submission with STARTTLS and AUTH, and Exim,
 * whose TLS is GnuTLS
 *
 * Postfix does the same first, so that what is wrong with the test is not taken for what is wrong with Posthorn.
 * Needs root, user postfix, Postfix 3.7, Dovecot, and what fetch-peers.sh fetches.
 */
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { SmtpSink } from '@posthorn/testing/smtp-sink'
import { waitFor } from '@posthorn/testing/wait-for'
import t from 'tap'
import { onBoth } from '../parity/both-systems.ts'
import { startDovecot } from './dovecot.ts'
import { checkExim, deliverToExim, eximSite } from './exim-deliveries.ts'
import { startExim } from './exim.ts'

t.setTimeout(120_000)

const MECHANISMS = ['plain', 'login', 'cram-md5', 'digest-md5', 'scram-sha-1', 'scram-sha-256']
const LIMIT_MS = 30_000

t.test('mail reaches Dovecot and Exim', async (t) => {
  const sink = await SmtpSink.start()
  t.teardown(async () => sink.close())
  const dovecot = await startDovecot(t, {
    passwords: { alice: 'secret', bob: 'other secret' },
    relayPort: sink.port,
  })
  const exim = await startExim(t, 'secret')
  const site = eximSite(exim, 'secret')
  const verified =
    `-o smtp_tls_security_level=verify -o smtp_tls_CAfile=${dovecot.caFile}` +
    ' -o smtp_tls_verify_cert_match=dovecot.test -o smtp_tls_loglevel=1'
  const submission = `[127.0.0.1]:${dovecot.submissionPort}`
  const routes = {
    'unix.test': `lmtp:unix:${dovecot.lmtpPath}`,
    'inet.test': `lmtp:inet:[127.0.0.1]:${dovecot.lmtpPort}`,
    'tls.test': `lmtps:inet:[127.0.0.1]:${dovecot.lmtpPort}`,
    ...Object.fromEntries(MECHANISMS.map((name) => [`${name}.test`, `${name}:${submission}`])),
    'wrong.test': `wrong:${submission}`,
    ...site.routes,
  }
  const authenticated = (filter: string, password: string): string =>
    `smtp ${verified} -o smtp_sasl_auth_enable=yes -o smtp_sasl_security_options=noanonymous` +
    ` -o smtp_sasl_mechanism_filter=${filter}` +
    ` -o {smtp_sasl_password_maps=inline:{{${submission}=alice:${password}}}}`
  const options = {
    main: {
      smtp_tls_session_cache_database: 'btree:${data_directory}/smtp_scache',
      transport_maps: `inline:{${Object.entries(routes)
        .map(([domain, route]) => `{${domain}=${route}}`)
        .join(' ')}}`,
    },
    master: [
      'tlsmgr unix - - n 1000? 1 tlsmgr',
      'lmtp unix - - n - - lmtp',
      `lmtps unix - - n - - lmtp ${verified.replaceAll('smtp_', 'lmtp_')}`,
      ...MECHANISMS.map((name) => `${name} unix - - n - - ${authenticated(name, 'secret')}`),
      `wrong unix - - n - - ${authenticated('plain', 'guess')}`,
      ...site.master,
    ],
  }
  const seen = await onBoth(t, options, async (instance, system) => {
    const subject = `Subject: from ${system}`
    const recipients = [
      ...['unix', 'inet', 'tls'].map((name) => `alice@${name}.test`),
      'bob@unix.test',
      'nobody@unix.test',
      ...MECHANISMS.map((name) => `to@${name}.test`),
      'to@wrong.test',
    ]
    const client = await SmtpClient.open(instance.smtpPort)
    await client.say('EHLO client.example.test', '250')
    await client.send('alice@sender.test', recipients, `${subject}\r\n\r\nhello\r\n.dot`)
    await client.say('QUIT', '221')
    const results = async (): Promise<Map<string, string>> =>
      new Map(
        [...(await instance.log()).matchAll(/to=<([^>]+)>.* dsn=([\d.]+, status=\w+)/g)].map(
          ([, to = '', result = '']) => [to, result],
        ),
      )
    // the notice of the bounce is mail too
    const awaited = [...recipients, 'alice@sender.test']
    await waitFor(
      async () => (await results()).size >= awaited.length,
      'a result for each recipient',
      LIMIT_MS,
    )
    const arrived = async (user: string): Promise<string[]> =>
      (await dovecot.messages(user))
        .filter((text) => text.includes(subject))
        .map((text) => text.replace(/^[^]*?\r?\n\r?\n/, ''))
    const secured = (await instance.log()).match(/Verified TLS connection established to \S+: \S+/g)
    return {
      statuses: Object.fromEntries([...(await results())].sort()),
      alice: await arrived('alice'),
      bob: await arrived('bob'),
      handedOn: sink.messages
        .filter(({ content }) => content.includes(subject))
        .map(({ recipients }) => recipients.join())
        .sort(),
      secured: secured?.map((line) => line.replace(/\[[^\]]+\]/g, '')).sort(),
      // last: its lines in the log are not among the results
      exim: await deliverToExim(exim, instance, system),
    }
  })
  for (const system of ['postfix', 'posthorn'] as const) {
    const { statuses, alice, bob, handedOn, secured, exim } = seen[system]
    checkExim(t, system, exim)
    for (const name of ['unix', 'inet', 'tls']) {
      t.equal(statuses[`alice@${name}.test`], '2.0.0, status=sent', `${system}: LMTP, ${name}`)
    }
    for (const name of MECHANISMS) {
      t.equal(statuses[`to@${name}.test`], '2.0.0, status=sent', `${system}: AUTH ${name}`)
    }
    t.equal(statuses['nobody@unix.test'], '5.1.1, status=bounced', `${system}: unknown user`)
    t.match(statuses['to@wrong.test'], /status=deferred/, `${system}: wrong password`)
    t.equal(alice.length, 3, `${system}: messages of Alice`)
    t.equal(bob.length, 1, `${system}: messages of Bob`)
    t.same(
      handedOn,
      MECHANISMS.map((name) => `<to@${name}.test>`).sort(),
      `${system}: submitted mail was handed on`,
    )
    t.ok((secured?.length ?? 0) > MECHANISMS.length, `${system}: certificates were verified`)
  }
  t.same(seen.posthorn, seen.postfix, 'the same from both')
})
