/**
 * demo - a private mail system that shows what it does, and leaves nothing running
 *
 * Usage: make demo (ends by itself), make run (stays until Ctrl-C)
 * Everything is below run/: configuration, queue, log, mailboxes. The destination is an SMTP server in this
 * process, found through MX records of a name server in this process. Works for any user and for root,
 * because the instance belongs to whoever starts it.
 */
import { mkdir, readFile, readdir } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { join } from 'node:path'
import { FakeDns } from '@posthorn/testing/fake-dns'
import { freePort } from '@posthorn/testing/free-port'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { SmtpSink } from '@posthorn/testing/smtp-sink'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import yargs from 'yargs'
import { hideBin } from 'yargs/helpers'
import { Instance, ROOT } from './instance.ts'

const options = yargs(hideBin(process.argv))
  .usage('$0 [--run]: a private mail system below run/')
  .option('run', {
    type: 'boolean',
    default: false,
    describe: 'stay in the foreground until Ctrl-C',
  })
  .strict()
  .parseSync()

/** Enough at once that a destination's queue stays busy, which is when connections are kept for reuse. */
const SESSIONS = 8
const MESSAGES_PER_SESSION = 6
const RELAYED = SESSIONS * MESSAGES_PER_SESSION
/** Not 127.0.0.1, which is ours: mail for a host whose address is our own would loop. */
const DESTINATION = '127.0.0.2'
const NOBODY_LISTENS = '127.0.0.3'
const WAIT_MS = 30_000

const say = (text = ''): void => {
  console.log(text)
}
const heading = (text: string): void => {
  say(`\n── ${text} ${'─'.repeat(Math.max(0, 76 - text.length))}`)
}

/** Sends messages one after another on one connection, as a mail program would. */
async function sendOverSmtp(port: number, recipients: readonly string[]): Promise<void> {
  const client = await SmtpClient.open(port)
  await client.say('EHLO client.example.test', '250')
  for (const [at, to] of recipients.entries()) {
    const content = `Subject: message ${at + 1}\r\n\r\nHello ${to}.`
    await client.send('alice@example.test', [to], content)
  }
  await client.quit()
}

async function makeInstance(dns: FakeDns, sinkPort: number): Promise<Instance> {
  const directory = join(ROOT, 'run')
  const instance = await Instance.create({
    directory,
    commands: 'posthorn',
    daemons: 'posthorn',
    main: {
      myhostname: 'mx.example.test',
      mydestination: 'example.test, $myhostname, localhost',
      mail_spool_directory: `${join(directory, 'mail')}/`,
      dns_nameservers: `[${dns.server.address}]:${dns.server.port}`,
      smtp_tcp_port: String(sinkPort),
    },
  })
  await mkdir(join(directory, 'mail'))
  return instance
}

async function show(instance: Instance, sink: SmtpSink, user: string): Promise<void> {
  heading('What was delivered here')
  const maildir = join(instance.directory, 'mail', user, 'new')
  const [file] = await readdir(maildir)
  say(`${maildir}/${file ?? ''}:\n`)
  say((await readFile(join(maildir, file ?? ''), 'latin1')).trimEnd())
  heading('What was relayed')
  say(
    `${sink.messages.length} messages reached the destination, over ${sink.connections} connections.`,
  )
  heading('The queue (postqueue -p): one destination does not answer, so its message waits')
  say(await instance.run('postqueue', ['-p']))
  heading('The life of that message in the log')
  const log = (await instance.log()).split('\n')
  const id = /^([0-9A-Za-z]{6,})[*!# ]/m.exec(await instance.run('postqueue', ['-p']))?.[1] ?? ''
  say(log.filter((line) => line.includes(`: ${id}: `)).join('\n'))
  heading('Connections that carried more than one message (conn_use)')
  const reused = log.filter((line) => line.includes('conn_use='))
  say(reused.slice(-4).join('\n'))
  if (reused.length === 0) throw new Error(`No connection was reused; see ${instance.logFile}`)
}

async function demo(instance: Instance, sink: SmtpSink): Promise<void> {
  const user = userInfo().username
  heading('Sending')
  say(`sendmail ${user}@example.test                     (one message, from a command)`)
  await execa(
    ...instance.commandLine('sendmail', ['-f', 'bob@example.test', `${user}@example.test`]),
    {
      input: `From: Bob <bob@example.test>\nTo: ${user}@example.test\nSubject: from a command\n\nHello from sendmail.\n`,
    },
  )
  say(
    `SMTP to 127.0.0.1:${instance.smtpPort}, ${SESSIONS} sessions at once   (${RELAYED} messages for alpha.test and`,
  )
  say('                                              beta.test, one for silent.test)')
  const recipients = Array.from(
    { length: MESSAGES_PER_SESSION },
    (_, at) => `user${at}@${at % 3 === 0 ? 'beta' : 'alpha'}.test`,
  )
  const sessions = Array.from({ length: SESSIONS }, async () =>
    sendOverSmtp(instance.smtpPort, recipients),
  )
  await Promise.all([...sessions, sendOverSmtp(instance.smtpPort, ['user@silent.test'])])
  const maildir = join(instance.directory, 'mail', user, 'new')
  await waitFor(
    async () => {
      const local = await readdir(maildir).catch(() => [])
      const left = await instance.queued()
      const settled = left.length === 1 && left[0]?.startsWith('deferred/') === true
      return local.length === 1 && sink.messages.length === RELAYED && settled
    },
    `the mail to arrive; the log is ${instance.logFile}`,
    WAIT_MS,
  )
  await show(instance, sink, user)
}

function explain(instance: Instance): void {
  const sbin = join(ROOT, 'build/sbin')
  heading('Where everything is')
  say(`configuration  ${instance.configDirectory}/main.cf, master.cf
queue          ${instance.queueDirectory}
log            ${instance.logFile}
mailboxes      ${join(instance.directory, 'mail')}
`)
  say(`While it runs (make run), from another terminal:
  export MAIL_CONFIG=${instance.configDirectory}
  echo hello | ${sbin}/sendmail ${userInfo().username}@example.test
  ${sbin}/mailq
  ${sbin}/postfix reload`)
}

async function main(): Promise<void> {
  say('Posthorn: a private mail system, rootless, on loopback only.')
  const port = await freePort(DESTINATION)
  const sink = await SmtpSink.start({ address: DESTINATION, port })
  const dns = await FakeDns.start({
    'alpha.test': {
      MX: [
        [10, 'mx1.alpha.test'],
        [20, 'mx2.alpha.test'],
      ],
    },
    'mx1.alpha.test': { A: [DESTINATION] },
    'mx2.alpha.test': { A: [DESTINATION] },
    'beta.test': { MX: [[10, 'mx.beta.test']] },
    'mx.beta.test': { A: [DESTINATION] },
    'silent.test': { MX: [[10, 'mx.silent.test']] },
    'mx.silent.test': { A: [NOBODY_LISTENS] },
  })
  const instance = await makeInstance(dns, port)
  const interrupted = new Promise<void>((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, resolve)
  })
  try {
    await instance.start()
    await Promise.race([demo(instance, sink), interrupted])
    explain(instance)
    if (options.run) {
      say('\nRunning. Ctrl-C ends it.')
      await interrupted
    }
  } finally {
    await instance.stop()
    await sink.close()
    await dns.close()
  }
  say('\nStopped; no process is left.')
}

await main()
