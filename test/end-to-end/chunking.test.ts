/**
 * chunking - our smtp(8) hands a large message to our smtpd(8) in chunks (RFC 3030), octet for octet
 *
 *     SMTP, DATA        BDAT                       BDAT
 *     ------> smtpd ... smtp ------> smtpd ... smtp ------> scripted server
 *
 * Needs root and user postfix.
 */
import { freePort } from '@posthorn/testing/free-port'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { SmtpSink } from '@posthorn/testing/smtp-sink'
import { waitFor } from '@posthorn/testing/wait-for'
import t from 'tap'
import { startSystem } from '../parity/both-systems.ts'

const KB = 1024
/** Dots where they could end it, 8-bit text, empty lines, and lines longer than a record and than SMTP allows. */
const LINES = ['.', '..', '.two', '', 'gr\u00fc\u00dfe .', 'x'.repeat(998), 'y'.repeat(5000), ' z']

t.test('1 MB with long lines, dots and 8-bit text', async (t) => {
  const sink = await SmtpSink.start({ extensions: ['PIPELINING', '8BITMIME', 'CHUNKING'] })
  t.teardown(async () => sink.close())
  const inner = await freePort()
  const instance = await startSystem(t, 'posthorn', {
    main: {
      relayhost: `[127.0.0.1]:${inner}`,
      smtp_chunking_enable: 'yes',
      smtp_line_length_limit: '0',
    },
    master: [
      `127.0.0.1:${inner} inet n - n - - smtpd -o myhostname=inner.example.test -o content_filter=smtp:[127.0.0.1]:${sink.port}`,
    ],
  })
  const block = LINES.map((line) => `${line}\r\n`).join('')
  const body = block.repeat(Math.ceil((KB * KB) / block.length))
  const client = await SmtpClient.open(instance.smtpPort)
  await client.say('EHLO client.example.test', '250')
  await client.say('MAIL FROM:<a@example.test> BODY=8BITMIME', '250')
  await client.say('RCPT TO:<b@remote.test>', '250')
  await client.say('DATA', '354')
  const message = `Subject: chunks\r\n\r\n${body}`
  await client.say(`${message.replaceAll('\n.', '\n..')}.`, '250')
  await client.quit()
  const [arrived] = await sink.waitForMessages(1, 30_000)
  const content = Buffer.from(arrived?.content ?? '', 'latin1').toString('utf8')
  const at = content.indexOf('\r\nSubject: chunks\r\n')
  const start = content.indexOf('\r\n\r\n') + 4
  t.ok(at > 0 && at < start)
  t.equal(content.length - start, body.length)
  t.ok(content.endsWith(body), 'every octet of the text arrived')
  const log = await waitFor(async () => {
    const text = await instance.log()
    return text.includes(' bdat=') ? text : undefined
  }, 'the server to count its commands')
  t.match(log, /disconnect from .* mail=1 rcpt=1 bdat=1[6-9] quit=1 /)
  t.notMatch(log, /: (?:warning|error|fatal|panic): /)
})
