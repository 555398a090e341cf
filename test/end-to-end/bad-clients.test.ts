/**
 * bad-clients - what strangers may say to the SMTP server without harm
 *
 * Each rude client gets Postfix's reply, costs itself its conversation and nobody else's; memory stays bounded.
 */
import { waitFor } from '@posthorn/testing/wait-for'
import t, { type Test } from 'tap'
import { residentMegabytes, Site } from './bad-input-site.ts'
import { RawClient } from './raw-client.ts'

const MEMORY_LIMIT_MB = 300
const FLOOD_OCTETS = 100_000_000
const SIZE_LIMIT = 1_000_000
const CONNECTIONS = 500

const site = await Site.start(t, {
  main: {
    smtpd_timeout: '2s',
    message_size_limit: String(SIZE_LIMIT),
    smtpd_recipient_limit: '5',
    smtpd_client_connection_count_limit: '0',
    smtpd_client_connection_rate_limit: '0',
  },
})
const { instance } = site
const blanks = Buffer.alloc(65_536, 'x')
const envelope = ['EHLO rude.test', 'MAIL FROM:<rude@example.test>', 'RCPT TO:<user@rude.test>']
const goodbye = '421 4.4.2 mx.example.test Error: timeout exceeded'

/** A connection on which `lines` have been said and answered. */
async function open(lines: readonly string[] = []): Promise<RawClient> {
  const client = await RawClient.connect(instance.smtpPort)
  await client.expect(/^220 .*\r\n/)
  for (const line of lines) await say(client, line)
  return client
}

/** The reply to one line. */
async function say(client: RawClient, line: string): Promise<string> {
  const before = client.received.length
  await client.send(`${line}\r\n`)
  const reply = await waitFor(
    () => /^\d{3} .*\r\n/m.exec(client.received.slice(before))?.[0],
    `the reply to ${line.slice(0, 50)}`,
  )
  return reply.trimEnd()
}

/** What was answered after the greeting and the lines of open(), until the server hung up. */
async function lastWords(client: RawClient): Promise<string[]> {
  const text = await client.untilEnd(20_000)
  client.close()
  const replies = text.match(/^\d{3} .*$/gm) ?? []
  return replies.map((reply) => reply.replace(/queued as \w+/, 'queued as ID'))
}

/** Mail of others goes through while `rude` is under way, and smtpd(8) stays small. */
async function besideOthers(t: Test, rude: Promise<unknown>): Promise<void> {
  let isOver = false
  let highest = 0
  const others = async (): Promise<void> => {
    do {
      await site.probe()
      for (const pid of site.pids('smtpd')) {
        highest = Math.max(highest, await residentMegabytes(pid))
      }
    } while (!isOver)
  }
  const ended = rude.finally(() => {
    isOver = true
  })
  await Promise.all([ended, others()])
  t.ok(highest < MEMORY_LIMIT_MB, `smtpd stays small: ${highest.toFixed(0)} MB`)
}

t.test('octets that are no commands', async (t) => {
  const client = await open()
  await client.send(
    '\0\0\0\0EHLO x\r\n\r\nMAIL\0FROM:<a@b.test>\r\nMAIL FROM:<a\0b@b.test>\r\nQUIT\r\n',
  )
  t.same((await lastWords(client)).slice(1), [
    '500 5.5.2 Error: bad syntax',
    '500 5.5.2 Error: bad syntax',
    '501 5.5.4 Syntax: MAIL FROM:<address>',
    '501 5.1.7 Bad sender address syntax',
    '221 2.0.0 Bye',
  ])
  const noise = await open()
  const octets = Buffer.alloc(20_000)
  let state = 4711
  for (let at = 0; at < octets.length; at += 1) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
    octets[at] = state >> 16
  }
  await noise.send(octets)
  const words = await lastWords(noise)
  t.equal(words.at(-1), '421 4.7.0 mx.example.test Error: too many errors')
  t.equal(words[1], '500 5.5.2 Error: bad UTF-8 syntax')
  const web = await open()
  await web.send('GET / HTTP/1.0\r\nHost: mx\r\n\r\n')
  t.equal((await lastWords(web)).at(-1), '221 2.7.0 Error: I can break rules, too. Goodbye.')
  await site.waitForLog(
    /warning: non-SMTP command from unknown\[127\.0\.0\.1\]: GET \/ HTTP\/1\.0$/,
  )
})

t.test('silence, at each step', async (t) => {
  const clients = await Promise.all([
    open(),
    open(envelope.slice(0, 2)),
    open([...envelope, 'DATA']),
    open(envelope),
  ])
  await clients[2].send('half a line')
  await clients[3].send('BDAT 1000 LAST\r\nhalf')
  for (const client of clients) t.equal((await lastWords(client)).at(-1), goodbye)
  for (const where of [
    'CONNECT',
    'MAIL',
    String.raw`DATA \(\d+ bytes\)`,
    String.raw`BDAT \(\d+ bytes\)`,
  ]) {
    await site.waitForLog(new RegExp(`timeout after ${where} from unknown\\[127\\.0\\.0\\.1\\]$`))
  }
})

t.test('connections that are closed half, or at once', async (t) => {
  const steps = [[], envelope.slice(0, 1), envelope, [...envelope, 'DATA']]
  for (const lines of steps) {
    const client = await open(lines)
    client.shut()
    t.notMatch((await lastWords(client)).at(-1), /^[45]/, 'nothing more is said')
  }
  await site.waitForLog(/lost connection after DATA \(0 bytes\) from unknown/)
  const polite = await open(envelope)
  await polite.send('DATA\r\nSubject: half\r\n\r\n.\r\nQUIT\r\n')
  polite.shut()
  t.same((await lastWords(polite)).slice(-2), ['250 2.0.0 Ok: queued as ID', '221 2.0.0 Bye'])
  await site.arrival('half')
  await besideOthers(
    t,
    (async () => {
      for (let count = 0; count < CONNECTIONS; count += 1) {
        const client = await RawClient.connect(instance.smtpPort, { isDeaf: true })
        client.close()
      }
    })(),
  )
  const many = await Promise.all(Array.from({ length: 100 }, async () => open()))
  await site.probe()
  for (const client of many) client.close()
})

t.test('lines of 100 MB', async (t) => {
  const command = await open()
  const content = await open([...envelope, 'DATA'])
  const greeting = await open()
  await besideOthers(
    t,
    Promise.all([
      (async () => {
        await command.send('HELP ')
        await command.flood(blanks, FLOOD_OCTETS)
        await command.send('\r\nQUIT\r\n')
      })(),
      (async () => {
        await content.flood(blanks, FLOOD_OCTETS)
        await content.send('\r\n.\r\nQUIT\r\n')
      })(),
      (async () => {
        await greeting.send('EHLO ')
        await greeting.flood(blanks, FLOOD_OCTETS / 10)
        await greeting.send('\r\nQUIT\r\n')
      })(),
    ]),
  )
  t.same((await lastWords(command)).slice(1), [
    '500 5.5.2 Error: command not recognized',
    '221 2.0.0 Bye',
  ])
  t.same((await lastWords(content)).slice(-2), [
    '552 5.3.4 Error: message file too big',
    '221 2.0.0 Bye',
  ])
  t.equal((await lastWords(greeting)).at(-1), '221 2.0.0 Bye')
  await site.waitForLog(
    /warning: unknown\[127\.0\.0\.1\]: request longer than 2048: HELP x+\.\.\.$/,
  )
  await site.waitForLog(/warning: \w+: queue file size limit exceeded$/)
})

t.test('100 MB of commands from a client that does not listen', async (t) => {
  for (const command of ['NOOP\r\n', 'EHLO rude.test\r\n', 'BDAT 1\r\nx']) {
    const client = await RawClient.connect(instance.smtpPort, { isDeaf: true })
    if (command.startsWith('BDAT')) await client.send(`${envelope.join('\r\n')}\r\n`)
    const piece = Buffer.from(command.repeat(10_000))
    await besideOthers(t, client.flood(piece, FLOOD_OCTETS))
    client.close()
  }
  await site.waitForLog(/too many errors after NOOP from unknown\[127\.0\.0\.1\]$/)
})

t.test('limits', async (t) => {
  const crowd = await open(envelope.slice(0, 2))
  const answers: string[] = []
  for (let at = 0; at < 7; at += 1) answers.push(await say(crowd, `RCPT TO:<u${at}@rude.test>`))
  t.same(answers, [
    ...Array<string>(5).fill('250 2.1.5 Ok'),
    ...Array<string>(2).fill('452 4.5.3 Error: too many recipients'),
  ])
  await say(crowd, 'DATA')
  t.match(await say(crowd, 'Subject: crowd\r\n\r\n.'), /^250 2\.0\.0 Ok: queued as /)
  const sizes: [string, string][] = [
    [String(SIZE_LIMIT + 1), '552 5.3.4 Message size exceeds fixed limit'],
    ['9'.repeat(20), '552 5.3.4 Message size exceeds '],
    ['-1', '501 5.5.4 Bad message size syntax'],
    ['', '501 5.5.4 Bad message size syntax'],
    ['12x', '501 5.5.4 Bad message size syntax'],
  ]
  for (const [size, reply] of sizes) {
    t.ok((await say(crowd, `MAIL FROM:<a@b.test> SIZE=${size}`)).startsWith(reply), `SIZE=${size}`)
  }
  await say(crowd, 'MAIL FROM:<a@b.test> SIZE=1000')
  await say(crowd, 'RCPT TO:<u@rude.test>')
  await say(crowd, 'DATA')
  const large = `${'z'.repeat(98)}\r\n`.repeat(SIZE_LIMIT / 50)
  t.equal(await say(crowd, `${large}.`), '552 5.3.4 Error: message file too big')
  t.equal(await say(crowd, 'RSET'), '250 2.0.0 Ok', 'and the session goes on')
  crowd.close()
  await site.arrival('crowd')
})

t.test('BDAT with absurd sizes', async (t) => {
  for (const argument of ['-5', '', '9'.repeat(30), '5 LAST MORE', '0x10', '1e3', '+1']) {
    const client = await open(envelope)
    await client.send(`BDAT ${argument}\r\n`)
    const reply = (await lastWords(client)).at(-1)
    t.equal(reply, '521 5.5.4 Syntax: BDAT count [LAST]', `BDAT ${argument}`)
  }
  const huge = await open(envelope)
  await huge.send('BDAT 999999999999 LAST\r\n')
  await huge.flood(blanks, FLOOD_OCTETS / 10)
  t.equal((await lastWords(huge)).at(-1), goodbye)
  const large = await open(envelope)
  await large.send(`BDAT ${2 * SIZE_LIMIT} LAST\r\n${'x'.repeat(2 * SIZE_LIMIT)}`)
  await large.expect(/552 5\.3\.4 Chunk exceeds message size limit\r\n$/)
  await large.send('BDAT 3\r\nabcRSET\r\nQUIT\r\n')
  t.same((await lastWords(large)).slice(-3), [
    '551 5.0.0 Discarded 3 bytes after earlier error',
    '250 2.0.0 Ok',
    '221 2.0.0 Bye',
  ])
  const small = await open(envelope)
  await small.send(`${'BDAT 1\r\nx'.repeat(20_000)}BDAT 0 LAST\r\nQUIT\r\n`)
  t.match((await lastWords(small)).at(-2), /^250 2\.0\.0 Ok: \d+ bytes queued as ID$/)
})

t.test('afterwards', async (t) => {
  await site.probe()
  await waitFor(async () => (await instance.queued()).length === 0, 'an empty queue', 20_000)
  t.same(await site.crashes(), [])
  for (const pid of site.pids('smtpd')) {
    const size = await residentMegabytes(pid)
    t.ok(size < MEMORY_LIMIT_MB, `smtpd has ${size.toFixed(0)} MB`)
  }
})
