/**
 * bad-servers - what servers may do to the SMTP client without harm
 *
 * Each rude server gets one message. It is deferred with a line that says what happened, other mail goes on, memory stays
 * bounded; and when the server behaves at last, the message arrives, once.
 */
import { once } from 'node:events'
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net'
import { setTimeout as pause } from 'node:timers/promises'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import t, { type Test } from 'tap'
import { residentMegabytes, Site, SYSTEM } from './bad-input-site.ts'

const MEMORY_LIMIT_MB = 300
const FLOOD_OCTETS = 100_000_000
const CONTINUATION_LINES = 1_000_000
const HEAD = 'lost connection with 127\\.0\\.0\\.1\\[127\\.0\\.0\\.1\\] while '
const SLOW = 'conversation with 127\\.0\\.0\\.1\\[127\\.0\\.0\\.1\\] timed out while '

/** Ours gives up after 1 MB; Postfix reads on until its time is over. */
const FLOODED = `(?:${HEAD}|${SLOW})`

type Rudeness = (socket: Socket) => Promise<void>

/** Rude until told to behave; then everything goes to the site's sink. */
class RudeServer {
  isPolite = false
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  private constructor(rudeness: Rudeness, politePort: () => number) {
    this.#server = createServer((socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => socket.destroy())
      socket.on('close', () => this.#sockets.delete(socket))
      if (!this.isPolite) {
        rudeness(socket).catch(() => socket.destroy())
        return
      }
      const sink = connect(politePort(), '127.0.0.1')
      sink.on('error', () => socket.destroy())
      socket.pipe(sink).pipe(socket)
    })
  }

  static async start(t: Test, rudeness: Rudeness, politePort: () => number): Promise<RudeServer> {
    const server = new RudeServer(rudeness, politePort)
    server.#server.listen(0, '127.0.0.1')
    await once(server.#server, 'listening')
    t.teardown(() => {
      for (const socket of server.#sockets) socket.destroy()
      server.#server.close()
    })
    return server
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port
  }
}

/** Writes as much as the client takes. */
async function flood(socket: Socket, piece: string, count: number): Promise<void> {
  for (let sent = 0; sent < count && !socket.destroyed; sent++) {
    if (!socket.write(piece)) await Promise.race([once(socket, 'drain'), once(socket, 'close')])
  }
}

/** Answers like a server, up to the command where `stop` takes over. */
function politeUntil(step: string, stop: Rudeness, extensions = ''): Rudeness {
  return async (socket) => {
    if (step === 'greeting') {
      await stop(socket)
      return
    }
    socket.write('220 rude.test ESMTP\r\n')
    let received = ''
    for await (const octets of socket) {
      received += (octets as Buffer).toString('latin1')
      for (let end = received.indexOf('\r\n'); end >= 0; end = received.indexOf('\r\n')) {
        const line = received.slice(0, end)
        received = received.slice(end + 2)
        if (line.startsWith(step)) {
          await stop(socket)
          return
        }
        if (line.startsWith('EHLO')) socket.write(`250${extensions}-rude.test\r\n250 8BITMIME\r\n`)
        else if (line === 'DATA') socket.write('354 go on\r\n')
        else if (!line.startsWith('Received') && /^(?:MAIL|RCPT|RSET|\.$)/.test(line)) {
          socket.write('250 2.0.0 Ok\r\n')
        }
      }
    }
  }
}

const hangUp: Rudeness = async (socket) => {
  socket.destroy()
  return Promise.resolve()
}
const reset: Rudeness = async (socket) => {
  socket.resetAndDestroy()
  return Promise.resolve()
}
const silence: Rudeness = async (socket) => {
  socket.resume()
  await once(socket, 'close')
}

interface Case {
  rudeness: Rudeness
  /** The reason in the status line. */
  reason: string
  sizeOctets?: number
}

const cases: Record<string, Case> = {
  garbage: {
    rudeness: async (socket) => {
      socket.write(Buffer.from('\0\xff\x1b[31m nonsense\r\n'.repeat(20), 'latin1'))
      socket.end()
      return Promise.resolve()
    },
    reason: `${HEAD}receiving the initial server greeting`,
  },
  silent: { rudeness: silence, reason: `${SLOW}receiving the initial server greeting` },
  'one-line': {
    rudeness: async (socket) => {
      socket.resume()
      await flood(socket, 'x'.repeat(10_000), FLOOD_OCTETS / 10_000)
      await once(socket, 'close')
    },
    reason: `${FLOODED}receiving the initial server greeting`,
  },
  continued: {
    rudeness: async (socket) => {
      socket.resume()
      await flood(socket, '220-go on\r\n'.repeat(1000), CONTINUATION_LINES / 1000)
      await once(socket, 'close')
    },
    reason: `${FLOODED}receiving the initial server greeting`,
  },
  'octet-by-octet': {
    rudeness: async (socket) => {
      socket.resume()
      while (!socket.destroyed) {
        socket.write('2')
        await pause(200)
      }
    },
    reason: `${SLOW}receiving the initial server greeting`,
  },
  'greeting-close': {
    rudeness: hangUp,
    reason: `${HEAD}receiving the initial server greeting`,
  },
  'ehlo-close': {
    rudeness: politeUntil('EHLO', hangUp),
    reason: `${HEAD}performing the EHLO handshake`,
  },
  'ehlo-flood': {
    rudeness: politeUntil('EHLO', async (socket) => {
      socket.resume()
      await flood(socket, '250-XKEYWORD\r\n'.repeat(1000), CONTINUATION_LINES / 1000)
      await once(socket, 'close')
    }),
    reason: `${FLOODED}performing the EHLO handshake`,
  },
  'mail-close': { rudeness: politeUntil('MAIL', hangUp), reason: `${HEAD}sending MAIL FROM` },
  'mail-silent': { rudeness: politeUntil('MAIL', silence), reason: `${SLOW}sending MAIL FROM` },
  'rcpt-close': { rudeness: politeUntil('RCPT', hangUp), reason: `${HEAD}sending RCPT TO` },
  'rcpt-reset': { rudeness: politeUntil('RCPT', reset), reason: `${HEAD}sending RCPT TO` },
  'data-close': { rudeness: politeUntil('DATA', hangUp), reason: `${HEAD}sending DATA command` },
  'data-silent': {
    rudeness: politeUntil('DATA', silence),
    reason: `${SLOW}sending DATA command`,
  },
  'text-reset': {
    rudeness: politeUntil('Subject:', reset),
    reason: `${HEAD}sending (?:message body|end of data -- message may be sent more than once)`,
    sizeOctets: 5_000_000,
  },
  'dot-close': {
    rudeness: politeUntil('.', hangUp),
    reason: `${HEAD}sending end of data -- message may be sent more than once`,
  },
  'dot-silent': {
    rudeness: politeUntil('.', silence),
    reason: `${SLOW}sending end of data -- message may be sent more than once`,
  },
  'never-reads': {
    rudeness: async (socket) => {
      socket.write('220 rude.test\r\n250 Ok\r\n250 Ok\r\n250 Ok\r\n354 go on\r\n')
      socket.pause()
      await once(socket, 'close')
    },
    reason: `${SLOW}sending message body`,
    sizeOctets: 20_000_000,
  },
}

const politePort = { value: 0 }
const servers = new Map<string, RudeServer>()
for (const [name, { rudeness }] of Object.entries(cases)) {
  servers.set(name, await RudeServer.start(t, rudeness, () => politePort.value))
}
const routes = [...servers].map(
  ([name, server]) => `{${name}.test = smtp:[127.0.0.1]:${server.port}}`,
)
const site = await Site.start(t, {
  main: {
    transport_maps: `inline:{${routes.join(', ')}}`,
    message_size_limit: '50000000',
    // for a whole reply, so that a server cannot win time octet by octet
    smtp_per_request_deadline: 'yes',
    smtp_min_data_rate: '100000000',
    smtp_connect_timeout: '2s',
    smtp_helo_timeout: '2s',
    smtp_mail_timeout: '1s',
    smtp_rcpt_timeout: '1s',
    smtp_data_init_timeout: '1s',
    smtp_data_xfer_timeout: '1s',
    smtp_data_done_timeout: '1s',
    smtp_quit_timeout: '1s',
  },
})
politePort.value = site.sink.port

t.test('each rude server defers its message, and the reason says why', async (t) => {
  const client = await SmtpClient.open(site.instance.smtpPort)
  await client.say('EHLO rude.test', '250')
  for (const [name, { sizeOctets = 100 }] of Object.entries(cases)) {
    const text = `${'y'.repeat(98)}\r\n`.repeat(Math.ceil(sizeOctets / 100))
    await client.send(
      'me@example.test',
      [`user@${name}.test`],
      `Subject: for ${name}\r\n\r\n${text}end`,
    )
  }
  await client.quit()
  for (const [name, { reason }] of Object.entries(cases)) {
    const line = await site.waitForLog(
      new RegExp(`to=<user@${name}\\.test>, .*status=deferred`),
      30_000,
    )
    t.match(line, new RegExp(`status=deferred \\(${reason}\\)`), name)
  }
})

t.test('others are served meanwhile, nothing crashed, memory is bounded', async (t) => {
  await site.probe()
  t.same(await site.crashes(), [], 'no daemon ended badly')
  const pids = site.pids('smtp')
  t.ok(pids.length > 0 || SYSTEM === 'postfix', 'there is an SMTP client')
  for (const pid of pids) {
    const megabytes = await residentMegabytes(pid)
    t.ok(megabytes < MEMORY_LIMIT_MB, `smtp uses ${Math.round(megabytes)} MB`)
  }
})

t.test('each message arrives, once, when its server behaves', async (t) => {
  for (const server of servers.values()) server.isPolite = true
  for (const name of servers.keys()) await site.arrival(`for ${name}`)
  for (const name of servers.keys()) {
    const wanted = `Subject: for ${name}\r\n`
    const copies = site.sink.messages.filter(({ content }) => content.includes(wanted))
    t.equal(copies.length, 1, name)
  }
  t.same(await site.crashes(), [], 'no daemon ended badly')
})
