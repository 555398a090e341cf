/**
 * smtpd-services.test - what smtpd(8) asks others: anvil(8) for rates, and access policy servers, beside the real one
 */
import t, { type Test } from 'tap'
import { createServer } from 'node:net'
import { comparable, startSystem, SYSTEMS } from './both-systems.ts'
import {
  compareSessions,
  differences,
  MAIN,
  playSession,
  smtpdServices,
  type SessionScript,
} from './smtpd-sessions.ts'

const HELLO = 'EHLO client.test'
const FROM = 'MAIL FROM:<a@client.test>'
const TO = 'RCPT TO:<joe@example.com>'
const MESSAGE = [HELLO, FROM, TO, 'DATA', 'hello\r\n.', 'QUIT']

const say = (title: string, service: string, ...script: string[]): SessionScript => ({
  title,
  service,
  script,
})

t.test('rates', async (t) => {
  await compareSessions(t, {
    main: { smtpd_client_event_limit_exceptions: '' },
    services: {
      messages: { smtpd_client_message_rate_limit: '2' },
      recipients: { smtpd_client_recipient_rate_limit: '2' },
      connections: { smtpd_client_connection_rate_limit: '2' },
      excepted: {
        smtpd_client_connection_rate_limit: '1',
        smtpd_client_message_rate_limit: '1',
        smtpd_client_event_limit_exceptions: '127.0.0.0/8',
      },
      stressed: { stress: 'yes', smtpd_error_sleep_time: '0' },
    },
    sessions: [
      say('messages', 'messages', HELLO, FROM, 'RSET', FROM, 'RSET', FROM, 'RSET', FROM),
      say('messages, again', 'messages', HELLO, FROM),
      say('recipients', 'recipients', HELLO, FROM, TO, TO, TO, 'RSET', FROM, TO),
      say('connections', 'connections', 'NOOP'),
      say('connections, again', 'connections', 'NOOP'),
      say('connections, too many', 'connections'),
      say('connections of exceptions', 'excepted', ...MESSAGE.slice(0, -1), FROM, 'QUIT'),
      say('more connections of exceptions', 'excepted', HELLO, FROM, 'QUIT'),
      say('stress: one error is too many', 'stressed', HELLO, 'FOO', 'NOOP'),
      say('stress: junk', 'stressed', HELLO, 'NOOP', 'NOOP', 'NOOP'),
    ],
  })
})

/** Decides by the recipient; notes what it is told, but for what differs from run to run. */
class PolicyServer {
  asked: string[] = []
  readonly #server = createServer((socket) => {
    let rest = ''
    socket.on('error', () => undefined)
    socket.on('data', (chunk) => {
      const requests = (rest + chunk.toString('latin1')).split('\n\n')
      rest = requests.pop() ?? ''
      for (const request of requests) {
        this.asked.push(request)
        const recipient = /^recipient=(.*)@/m.exec(request)?.[1] ?? ''
        socket.write(`action=${actionFor(recipient)}\n\n`)
      }
    })
  })

  async start(t: Test): Promise<number> {
    t.teardown(() => this.#server.close())
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve))
    const bound = this.#server.address()
    if (bound === null || typeof bound === 'string') throw new Error('Cannot listen')
    return bound.port
  }
}

function actionFor(recipient: string): string {
  const actions: Readonly<Record<string, string>> = {
    reject: 'REJECT go away',
    defer: 'DEFER_IF_PERMIT 4.7.3 later',
    four: '450 4.7.1 not now',
    prepend: 'PREPEND X-Policy: yes',
    list: 'reject_non_fqdn_sender, reject',
    nonsense: 'NONSENSE',
    empty: '',
  }
  return actions[recipient] ?? 'DUNNO'
}

const POLICED: readonly SessionScript[] = [
  say('a message', 'everywhere', ...MESSAGE),
  say(
    'two recipients',
    'everywhere',
    HELLO,
    FROM,
    TO,
    'RCPT TO:<ann@example.com>',
    'DATA',
    'x\r\n.',
  ),
  say('HELO, VRFY, ETRN', 'everywhere', 'HELO x', 'VRFY joe@example.com', 'ETRN relay.example'),
  say('chunks', 'everywhere', HELLO, `${FROM} SIZE=100`, TO, 'BDAT 0 LAST'),
  say('at once', 'early', HELLO, FROM, TO),
  say(
    'actions',
    'recipients',
    ...[HELLO, FROM],
    ...['reject', 'defer', 'four', 'list', 'nonsense', 'empty', 'prepend'].map(
      (name) => `RCPT TO:<${name}@example.com>`,
    ),
  ),
]

t.test('access policy servers', async (t) => {
  const seen: string[][] = []
  for (const system of SYSTEMS) {
    const server = new PolicyServer()
    const port = await server.start(t)
    const check = `check_policy_service inet:127.0.0.1:${port}`
    const lists = ['client', 'helo', 'sender', 'recipient', 'data', 'end_of_data', 'etrn']
    const everywhere = Object.fromEntries(
      lists.map((name) => [`smtpd_${name}_restrictions`, check]),
    )
    const { ports, master } = await smtpdServices({
      everywhere: { ...everywhere, smtpd_policy_service_policy_context: 'ctx' },
      early: { ...everywhere, smtpd_delay_reject: 'no' },
      recipients: { smtpd_recipient_restrictions: check, smtpd_hard_error_limit: '100' },
    })
    const main = { ...MAIN, local_recipient_maps: '' }
    const instance = await startSystem(t, system, { main, master })
    const said: string[] = []
    for (const session of POLICED) {
      server.asked = []
      const words = await playSession(instance, ports, session)
      const asked = server.asked.join('\n\n').replace(/^instance=.*|(_port)=\d+/gm, '$1')
      said.push(`${words}\n${comparable(asked)}`.replaceAll(`127.0.0.1:${port}`, 'POLICY'))
    }
    await instance.stop()
    seen.push(said)
  }
  for (const [index, { title }] of POLICED.entries()) {
    const [theirs = '', ours = ''] = seen.map((said) => said[index] ?? '')
    const differing = differences(theirs, ours)
    t.equal(differing.length, 0, `policy: ${title}`)
    for (const line of differing) t.comment(line)
  }
})
