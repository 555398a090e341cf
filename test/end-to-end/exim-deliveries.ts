/**
 * exim-deliveries - what is delivered to Exim in real-peers.test, and what must have come of it
 *
 *     new.test   TLS as both like it best, with a client certificate; one session for each message, resumed
 *     old.test   the same with TLS 1.2
 *     MECHANISM.exim.test   AUTH under TLS
 */
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { waitFor } from '@posthorn/testing/wait-for'
import type { Test } from 'tap'
import type { Instance, System } from '../../scripts/instance.ts'
import type { Exim } from './exim.ts'

const MECHANISMS = ['plain', 'login', 'cram-md5']
const SESSIONS = ['new.test', 'old.test']
const LIMIT_MS = 30_000

export interface EximSite {
  /** By domain. */
  readonly routes: Readonly<Record<string, string>>
  /** Lines of master.cf. */
  readonly master: readonly string[]
}

export function eximSite(exim: Exim, password: string): EximSite {
  const verified =
    `-o smtp_tls_security_level=verify -o smtp_tls_CAfile=${exim.caFile}` +
    ' -o smtp_tls_verify_cert_match=exim.test -o smtp_tls_connection_reuse=no -o smtp_tls_loglevel=1' +
    ' -o smtp_connection_cache_on_demand=no'
  const shown = `${verified} -o smtp_tls_chain_files=${exim.clientFile}`
  const authenticated = (mechanism: string): string =>
    `smtp ${verified} -o smtp_sasl_auth_enable=yes -o smtp_sasl_security_options=noanonymous` +
    ` -o smtp_sasl_mechanism_filter=${mechanism} -o smtp_sasl_password_maps=static:alice:${password}`
  return {
    routes: {
      'new.test': `shown:[127.0.0.1]:${exim.port}`,
      'old.test': `shown:[127.0.0.1]:${exim.oldPort}`,
      ...Object.fromEntries(
        MECHANISMS.map((name) => [`${name}.exim.test`, `exim-${name}:[127.0.0.1]:${exim.port}`]),
      ),
    },
    master: [
      `shown unix - - n - - smtp ${shown}`,
      ...MECHANISMS.map((name) => `exim-${name} unix - - n - - ${authenticated(name)}`),
    ],
  }
}

export interface EximOutcome {
  /** By recipient. */
  readonly statuses: Readonly<Record<string, string>>
  /** Of each session with a certificate, as Exim logs it: `TLS1.3:...:256 CV=yes DN="CN=client.test"`; resumed: `256*`. */
  readonly sessions: readonly string[]
  readonly authenticated: readonly string[]
  /** As it came, without the header. */
  readonly bodies: readonly string[]
}

/** Two messages to each of the first two domains, one after the other; one to each of the rest. */
export async function deliverToExim(
  exim: Exim,
  instance: Instance,
  system: System,
): Promise<EximOutcome> {
  const before = (await exim.log()).length
  const user = `${system}-user`
  const results = async (): Promise<[to: string, result: string][]> =>
    [
      ...(await instance.log()).matchAll(
        /to=<([^>]+(?:new|old|exim)\.test)>.* dsn=([\d.]+, status=\w+)/g,
      ),
    ].map(([, to = '', result = '']) => [to, result])
  const rounds = [
    [...SESSIONS.map((domain) => `${user}@${domain}`), 'nobody@new.test'],
    [...SESSIONS.map((domain) => `${user}@${domain}`), 'later@new.test'].concat(
      MECHANISMS.map((name) => `${user}@${name}.exim.test`),
    ),
  ]
  let wanted = 0
  for (const recipients of rounds) {
    wanted += recipients.length
    const client = await SmtpClient.open(instance.smtpPort)
    await client.say('EHLO client.example.test', '250')
    await client.send(
      'alice@sender.test',
      recipients,
      'Subject: x\r\n\r\nhello\r\n..dot\r\nFrom me',
    )
    await client.say('QUIT', '221')
    await waitFor(async () => (await results()).length >= wanted, 'results', LIMIT_MS)
  }
  // Exim delivers what it has taken when it has said so
  const all = SESSIONS.length * rounds.length + MECHANISMS.length
  await waitFor(async () => (await exim.messages(user)).length === all, 'the mailbox', LIMIT_MS)
  const arrived = (await exim.log()).slice(before)
  return {
    statuses: Object.fromEntries(
      (await results())
        .map(([to, result]): [string, string] => [to.replace(user, 'user'), result])
        .sort(),
    ),
    sessions: [...arrived.matchAll(/ <= .* X=(\S+ CV=\S+ DN=\S+)/g)]
      .map(([, text = '']) => text)
      .sort(),
    authenticated: [...arrived.matchAll(/ A=(\S+)/g)].map(([, text = '']) => text).sort(),
    bodies: (await exim.messages(user)).map((text) => text.replace(/^[^]*?\n\n/, '')),
  }
}

export function checkExim(t: Test, system: System, outcome: EximOutcome): void {
  const { statuses, sessions, authenticated, bodies } = outcome
  const sent = [...SESSIONS, ...MECHANISMS.map((name) => `${name}.exim.test`)]
  for (const domain of sent) {
    t.equal(statuses[`user@${domain}`], '2.0.0, status=sent', `${system}: ${domain}`)
  }
  t.equal(statuses['nobody@new.test'], '5.0.0, status=bounced', `${system}: no such user`)
  t.equal(statuses['later@new.test'], '4.0.0, status=deferred', `${system}: not now`)
  const known = sessions.filter((text) => text.endsWith('CV=yes DN="CN=client.test"'))
  const kinds = known.map((text) => text.replace(/:\S*?(\*?) .*/, '$1')).sort()
  t.same(
    kinds,
    ['TLS1.2', 'TLS1.2*', 'TLS1.3', 'TLS1.3*'],
    `${system}: our certificate is trusted, and the second session of each kind is resumed`,
  )
  t.same(
    authenticated,
    ['CRAM-MD5', 'LOGIN', 'PLAIN']
      .map((name) => `${name === 'CRAM-MD5' ? 'cram' : name.toLowerCase()}:alice`)
      .sort(),
    `${system}: each mechanism`,
  )
  t.equal(bodies.length, 2 * SESSIONS.length + MECHANISMS.length, `${system}: all are there`)
  t.same([...new Set(bodies)], ['hello\n.dot\n>From me\n\n'], `${system}: octet by octet`)
}
