/**
 * stalling - destinations that take connections and then keep still, beside one that is well
 *
 * Each step has its own time limit; whoever exceeds it has its mail deferred with a line that says where it happened, holds up
 * nobody else's mail meanwhile, leaves no connection in a cache, and gets its mail once it has recovered. All of it with
 * connection caching on demand and without, in one instance at the same time. BAD_INPUT_SYSTEM=postfix runs it against the
 * real Postfix. Needs root.
 */
import { readdir } from 'node:fs/promises'
import { setTimeout as pause } from 'node:timers/promises'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { waitFor } from '@posthorn/testing/wait-for'
import t, { type Test } from 'tap'
import { residentMegabytes, Site, SYSTEM } from './bad-input-site.ts'
import { StallingServer, type Step } from './stalling-server.ts'

const MESSAGES = 200
const STEP_MESSAGES = 3
const BODY_OCTETS = 10_000_000
const LIMIT_MS = 60_000
const MEMORY_LIMIT_MB = 300
const TIMED_OUT = 'conversation with 127\\.0\\.0\\.1\\[127\\.0\\.0\\.1\\] timed out while '

/** What the log says about it. */
const STAGES: Readonly<Record<Step, string>> = {
  greeting: 'receiving the initial server greeting',
  EHLO: 'performing the EHLO handshake',
  MAIL: 'sending MAIL FROM',
  RCPT: 'sending RCPT TO',
  DATA: 'sending DATA command',
  body: 'sending message body',
  '.': 'sending end of data -- message may be sent more than once',
}
const STEPS = Object.keys(STAGES) as Step[]
const CACHING = ['cached', 'plain'] as const

/** A domain for each step; the dot has no name of its own. */
const domainOf = (step: Step): string => `${step === '.' ? 'end' : step.toLowerCase()}.test`

const steps = new Map<Step, StallingServer>()
for (const step of STEPS) steps.set(step, await StallingServer.start(step))
const stalling = {
  cached: await StallingServer.start('greeting'),
  plain: await StallingServer.start('greeting'),
}
const healthy = { cached: await StallingServer.start(), plain: await StallingServer.start() }
/** Well at first; later its old connections are not answered any more. */
const fading = { own: await StallingServer.start(), shared: await StallingServer.start() }
const servers = [
  ...[...steps.values(), stalling.cached, stalling.plain, healthy.cached, healthy.plain],
  ...[fading.own, fading.shared],
]
t.teardown(() => {
  for (const server of servers) server.close()
})

const routes = [
  ...[...steps].map(([step, { port }]) => `{${domainOf(step)} = smtp:[127.0.0.1]:${port}}`),
  ...CACHING.flatMap((kind) => [
    `{stalling-${kind}.test = ${kind}:[127.0.0.1]:${stalling[kind].port}}`,
    `{healthy-${kind}.test = ${kind}:[127.0.0.1]:${healthy[kind].port}}`,
  ]),
  `{fading-own.test = own:[127.0.0.1]:${fading.own.port}}`,
  `{fading-shared.test = shared:[127.0.0.1]:${fading.shared.port}}`,
]
const patient =
  '-o smtp_connection_cache_destinations=127.0.0.1 -o smtp_connection_cache_time_limit=60s ' +
  '-o smtp_mail_timeout=300s'
const site = await Site.start(t, {
  main: {
    transport_maps: `inline:{${routes.join(', ')}}`,
    message_size_limit: '50000000',
    connection_cache_ttl_limit: '60s',
    smtp_helo_timeout: '1s',
    smtp_mail_timeout: '1s',
    smtp_rcpt_timeout: '1s',
    smtp_data_init_timeout: '1s',
    smtp_data_xfer_timeout: '1s',
    smtp_data_done_timeout: '1s',
    smtp_rset_timeout: '1s',
  },
  master: [
    'cached unix - - n - 1000 smtp',
    'plain unix - - n - 1000 smtp -o smtp_connection_cache_on_demand=no',
    // many at once: ours keeps idle connections itself; one at a time: they are in scache(8)
    `own unix - - n - 1000 smtp ${patient}`,
    `shared unix - - n - 1 smtp ${patient}`,
  ],
})

/** One message for each recipient, over one connection. */
async function submit(recipients: readonly string[], octets = 100): Promise<void> {
  const text = `${'y'.repeat(98)}\r\n`.repeat(Math.ceil(octets / 100))
  const client = await SmtpClient.open(site.instance.smtpPort)
  await client.say('EHLO client.test', '250')
  for (const recipient of recipients) {
    await client.send('me@example.test', [recipient], `Subject: hello\r\n\r\n${text}end`)
  }
  await client.quit()
}

const numbered = (domain: string, count: number): string[] =>
  Array.from({ length: count }, (_, at) => `user${at}@${domain}`)

/** Each of them, once. */
async function arrived(
  t: Test,
  server: StallingServer,
  recipients: readonly string[],
): Promise<void> {
  const all = (): boolean => server.recipients.length >= recipients.length
  await waitFor(all, `${recipients.length} messages`, LIMIT_MS).catch(async (error: unknown) => {
    const tail = (await site.log()).split('\n').slice(-25).join('\n')
    throw new Error(`${server.recipients.length} arrived: ${String(error)}\n${tail}`, {
      cause: error,
    })
  })
  t.same([...server.recipients].sort(), [...recipients].sort(), 'all of them, once')
}

/** Why each recipient of the domain was deferred first. */
async function reasons(domain: string, count: number): Promise<Map<string, string>> {
  const pattern = new RegExp(`to=<(user\\d+@${domain})>, .*status=deferred \\((.*)\\)$`, 'gm')
  return waitFor(
    async () => {
      const found = new Map<string, string>()
      for (const [, recipient = '', reason = ''] of (await site.log()).matchAll(pattern)) {
        if (!found.has(recipient)) found.set(recipient, reason)
      }
      return found.size >= count ? found : undefined
    },
    `all mail for ${domain} to be deferred`,
    LIMIT_MS,
  )
}

async function descriptorsOf(daemon: string): Promise<number> {
  const counts = site.pids(daemon).map(async (pid) => (await readdir(`/proc/${pid}/fd`)).length)
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

t.test('mail for a healthy destination is not held up', async (t) => {
  const held = CACHING.map(async (kind) => submit(numbered(`stalling-${kind}.test`, MESSAGES)))
  await waitFor(() => stalling.cached.connections + stalling.plain.connections > 0)
  const sent = CACHING.map(async (kind) => submit(numbered(`healthy-${kind}.test`, MESSAGES)))
  const others = STEPS.map(async (step) =>
    submit(
      numbered(domainOf(step), step === 'body' ? 1 : STEP_MESSAGES),
      step === 'body' ? BODY_OCTETS : 100,
    ),
  )
  await Promise.all(sent)
  for (const kind of CACHING) {
    await arrived(t, healthy[kind], numbered(`healthy-${kind}.test`, MESSAGES))
  }
  for (const kind of CACHING) t.equal(stalling[kind].recipients.length, 0, 'the others wait')
  await Promise.all([...held, ...others])
  const { cached, plain } = healthy
  t.ok(cached.connections < MESSAGES, `${cached.connections} connections with the cache`)
  t.equal(plain.connections, MESSAGES, 'one for each message without')
})

t.test('what stalled is deferred, and the reason says where', async (t) => {
  for (const kind of CACHING) {
    const wanted = new RegExp(
      `^(?:delivery temporarily suspended: )?${TIMED_OUT}${STAGES.greeting}$`,
    )
    const found = await reasons(`stalling-${kind}.test`, MESSAGES)
    t.same(
      [...found.values()].filter((reason) => !wanted.test(reason)),
      [],
      kind,
    )
    t.match([...found.values()].join('\n'), /^delivery temporarily suspended: /m, 'it is dead')
  }
  for (const step of STEPS) {
    const found = await reasons(domainOf(step), step === 'body' ? 1 : STEP_MESSAGES)
    const wanted = new RegExp(`^(?:delivery temporarily suspended: )?${TIMED_OUT}${STAGES[step]}$`)
    t.same(
      [...found.values()].filter((reason) => !wanted.test(reason)),
      [],
      step,
    )
  }
})

t.test('nothing grows, and no connection that timed out is kept', async (t) => {
  for (const pid of site.pids('smtp')) {
    const megabytes = await residentMegabytes(pid)
    t.ok(megabytes < MEMORY_LIMIT_MB, `smtp uses ${Math.round(megabytes)} MB`)
  }
  t.ok((await descriptorsOf('smtp')) < 400, 'descriptors of smtp')
  t.ok((await descriptorsOf('scache')) < 100, 'descriptors of scache')
})

t.test('when a destination has recovered, its mail goes out', async (t) => {
  for (const server of [...steps.values(), stalling.cached, stalling.plain]) server.recover()
  for (const kind of CACHING) {
    await arrived(t, stalling[kind], numbered(`stalling-${kind}.test`, MESSAGES))
  }
  for (const [step, server] of steps) {
    await arrived(t, server, numbered(domainOf(step), step === 'body' ? 1 : STEP_MESSAGES))
  }
})

t.test('an idle connection that is not answered any more costs one wait', async (t) => {
  for (const [kind, server] of Object.entries(fading)) {
    const domain = `fading-${kind}.test`
    const first = numbered(domain, 2)
    for (const [at, recipient] of first.entries()) {
      await submit([recipient])
      await waitFor(() => server.recipients.length > at, 'it to arrive', LIMIT_MS)
    }
    await waitFor(
      async () => (await site.instance.queued('incoming', 'active')).length === 0,
      'the connection to be idle',
      LIMIT_MS,
    )
    await pause(50)
    t.equal(server.connections, 1, `${kind}: the second message went over the first's connection`)
    server.freeze()
    await submit([`after@${domain}`])
    await arrived(t, server, [...first, `after@${domain}`])
    const { connections } = server
    t.equal(connections, 2, `${kind}: the third over a new one`)
  }
})

t.test('no daemon ended badly', async (t) => {
  t.same(await site.crashes(), [])
  t.ok(site.pids('smtp').length > 0 || SYSTEM === 'postfix', 'there is an SMTP client')
})
