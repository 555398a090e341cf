/**
 * reload - a reload that changes ports, limits and services drops no session that is open
 *
 * Needs root and user postfix.
 */
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { freePort } from '@posthorn/testing/free-port'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { waitFor } from '@posthorn/testing/wait-for'
import { startSystem } from '../parity/both-systems.ts'

t.test('sessions go on through a reload that moves, limits and adds services', async (t) => {
  const instance = await startSystem(t, 'posthorn', {
    main: { relayhost: `[127.0.0.1]:${await freePort()}` }, // nobody listens there: all mail is deferred
  })
  const masterCf = join(instance.configDirectory, 'master.cf')
  const before = await readFile(masterCf, 'utf8')
  const open = await SmtpClient.open(instance.smtpPort)
  await open.say('EHLO client.example.test', '250')
  await open.say('MAIL FROM:<one@example.test>', '250')
  const [other, third] = [await freePort(), await freePort()]

  const line = `127.0.0.1:${instance.smtpPort} inet n - n - - smtpd`
  t.ok(before.includes(line))
  await writeFile(
    masterCf,
    before.replace(
      line,
      `${line.replace('- - smtpd', '- 1 smtpd')}\n127.0.0.1:${other} inet n - n - - smtpd`,
    ),
  )
  await instance.run('postfix', ['reload'])
  const fresh = await waitFor(
    async () => SmtpClient.open(other).catch(() => undefined),
    'the service that was added',
  )
  await fresh.say('EHLO client.example.test', '250')
  await fresh.send('two@example.test', ['b@remote.test'], 'Subject: two\r\n\r\nhello')
  await open.say('RCPT TO:<a@remote.test>', '250')
  await open.say('DATA', '354')
  await open.say('Subject: one\r\n\r\nhello\r\n.', '250')
  await waitFor(async () => (await instance.queued('deferred')).length === 2, 'both messages')

  // now the service that `fresh` talks to moves away: its process is ended with it, as in Postfix
  await writeFile(
    masterCf,
    before.replace(line, `${line}\n127.0.0.1:${third} inet n - n - - smtpd`),
  )
  await instance.run('postfix', ['reload'])
  const moved = await waitFor(
    async () => SmtpClient.open(third).catch(() => undefined),
    'the service that has moved',
  )
  await moved.say('QUIT', '221')
  await t.rejects(fresh.say('NOOP', '250'))
  await open.say('RSET', '250')
  await open.say('QUIT', '221')
  t.notMatch(await instance.log(), /(warning|error|fatal|panic): (?!.*Connection refused)/)
})
