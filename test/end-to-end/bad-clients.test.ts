/**
 * bad-clients - what strangers may say to the SMTP server without harm
 *
 * Each rude client gets Postfix's reply, costs itself its conversation and nobody else's; memory stays bounded.
 */
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { waitFor } from '@posthorn/testing/wait-for'
import t, { type Test } from 'tap'
import { residentMegabytes, Site, SYSTEM } from './bad-input-site.ts'
import { RawClient } from './raw-client.ts'

const MEMORY_LIMIT_MB = 300
const FLOOD_OCTETS = 100_000_000
const TIMEOUT_SECONDS = 2

const main = {
  smtpd_timeout: `${TIMEOUT_SECONDS}s`,
  message_size_limit: '1000000',
  smtpd_recipient_limit: '5',
  smtpd_client_connection_count_limit: '600',
  smtpd_delay_reject: 'yes',
}

const site = await Site.start(t, { main })
const port = site.instance.smtpPort

/** A message of somebody else goes through while `rude` is under way; smtpd stays small. */
async function besideOthers(t: Test, rude: Promise<unknown>): Promise<void> {
  let isOver = false
  let highest = 0
  const ended = rude.finally(() => {
    isOver = true
  })
  const others = (async () => {
    let probes = 0
    do {
      await site.probe()
      probes += 1
      for (const pid of site.pids('smtpd')) {
        highest = Math.max(highest, await residentMegabytes(pid))
      }
    } while (!isOver && probes < 200)
    return probes
  })()
  await Promise.all([ended, others])
  t.ok(highest < MEMORY_LIMIT_MB, `smtpd stays below ${MEMORY_LIMIT_MB} MB: ${highest.toFixed(0)}`)
}

async function open(lines: string[] = []): Promise<RawClient> {
  const client = await RawClient.connect(port)
  await client.expect(/^220 .*\r\n/)
  for (const line of lines) {
    const before = client.received.length
    await client.send(`${line}\r\n`)
    await waitFor(() => /^\d{3} .*\r\n/m.test(client.received.slice(before)), `reply to ${line}`)
  }
  return client
}

const envelope = ['EHLO rude.test', 'MAIL FROM:<rude@example.test>', 'RCPT TO:<user@rude.test>']
const blanks = Buffer.alloc(65_536, 'x')

t.test('garbage', async (t) => {
  const client = await open()
  const garbage = Buffer.alloc(20_000)
  let seed = 4711
  for (let at = 0; at < garbage.length; at += 1) {
    seed = (seed * 1_103_515_245 + 12_345) % 2_147_483_648
    garbage[at] = seed >> 16
  }
  await client.send(garbage)
  t.match(await client.untilEnd(), /^500 5\.5\.2 Error: bad (?:UTF-8 syntax|syntax)/m)
  t.match(client.received, /^421 4\.7\.0 mx\.example\.test Error: too many errors\r\n$/m)
  client.close()
  await site.waitForLog(/too many errors after UNKNOWN|too many errors after/)
})

t.test('binary zeros', async (t) => {
  const client = await open()
  await client.send('\0\0\0\0EHLO x\r\n\r\nMAIL\0FROM:<a@b.test>\r\nQUIT\r\n')
  t.matchSnapshot
  t.equal(await client.untilEnd(), '', 'replies')
  client.close()
})

t.test('nothing until smtpd_timeout', async (t) => {
  const client = await open()
  t.match(await client.untilEnd(), /421 4\.4\.2 mx\.example\.test Error: timeout exceeded\r\n$/)
  client.close()
  await site.waitForLog(/smtpd\[\d+\]: timeout after CONNECT from unknown\[127\.0\.0\.1\]/)
})

t.test('nothing in the middle of content', async (t) => {
  const client = await open([...envelope, 'DATA'])
  await client.send('half a line')
  t.match(await client.untilEnd(), /421 4\.4\.2 mx\.example\.test Error: timeout exceeded\r\n$/)
  client.close()
  await site.waitForLog(/: timeout after DATA \(\d+ bytes\) from unknown\[127\.0\.0\.1\]/)
})

t.test('a command line of 100 MB', async (t) => {
  const client = await open()
  await besideOthers(
    t,
    (async () => {
      await client.send('HELP ')
      await client.flood(blanks, FLOOD_OCTETS)
      await client.send('\r\nQUIT\r\n')
      await client.untilEnd(20_000)
    })(),
  )
  t.equal(client.received, 'x')
  client.close()
  console.log(await site.log())
})
t.test('end', async (t) => {
  t.same(await site.crashes(), [])
  console.log(SYSTEM, SmtpClient.name)
})
