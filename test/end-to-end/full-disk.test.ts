/**
 * full-disk - the queue on a file system without room
 *
 * Mail is refused for now, before or after its content; what was accepted is delivered whole, and what cannot be
 * written down (a bounce, a notice) is tried again later. Needs root, to mount a file system of 2 MB.
 */
import { appendFile, rm, statfs, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { freePort } from '@posthorn/testing/free-port'
import { ScriptedPeer } from '@posthorn/testing/scripted-peer'
import { SmtpClient, UnexpectedReplyError } from '@posthorn/testing/smtp-client'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import t from 'tap'
import { Site } from './bad-input-site.ts'

/** What smtpd(8) wants to be free is one and a half times this. */
const MESSAGE_SIZE_LIMIT = 100_000
const CONCURRENT = 20

/** smtpd(8) on this port does not look at the disk beforehand. */
const blindPort = await freePort()
/** Refuses one recipient for good and another until told otherwise. */
let isAccepting = false
const peer = await ScriptedPeer.start({
  replies: {
    'RCPT TO:<nobody': '550 5.1.1 unknown user',
    'RCPT TO:<later': () => (isAccepting ? '250 2.1.5 Ok' : '450 4.2.0 later'),
  },
})
t.teardown(async () => peer.close())
const site = await Site.start(t, {
  main: {
    message_size_limit: String(MESSAGE_SIZE_LIMIT),
    transport_maps: `inline:{ { bad.test = smtp:[127.0.0.1]:${peer.port} } }`,
  },
  master: [
    `127.0.0.1:${blindPort} inet n - n - - smtpd -o message_size_limit=0`,
    'cleanup unix n - n - 0 cleanup -o message_size_limit=0',
  ],
  prepare: async ({ queueDirectory }) => {
    await execa('mount', ['-t', 'tmpfs', '-o', 'size=2m,mode=755', 'tmpfs', queueDirectory])
    return async () => execa('umount', [queueDirectory])
  },
})
const { instance } = site
const filler = join(instance.queueDirectory, 'filler')

async function freeOctets(): Promise<number> {
  const { bavail, bsize } = await statfs(instance.queueDirectory)
  return bavail * bsize
}

async function leaveFree(octets: number): Promise<void> {
  await appendFile(filler, Buffer.alloc(Math.max((await freeOctets()) - octets, 0)))
}

/** The last reply: to the content, or to the command that was refused. */
async function send(port: number, to: string, subject: string, size = 100): Promise<string> {
  const client = await SmtpClient.open(port)
  try {
    await client.say('EHLO client.test', '250')
    const lines = `${'y'.repeat(98)}\r\n`.repeat(size / 100)
    return await client.send('sender@example.test', [to], `Subject: ${subject}\r\n\r\n${lines}end`)
  } catch (error) {
    if (!(error instanceof UnexpectedReplyError)) throw error
    return error.message
  } finally {
    client.close()
  }
}

const accepted: string[] = []

/** @returns the reply when it is no success */
async function offer(to: string, subject: string, size?: number): Promise<string | undefined> {
  const reply = await send(blindPort, to, subject, size)
  if (!reply.startsWith('250 ')) return reply
  accepted.push(subject)
  return undefined
}

t.test('not enough room: refused at MAIL', async (t) => {
  await site.probe()
  await leaveFree(MESSAGE_SIZE_LIMIT)
  // the last look at the disk may be a second old
  const reply = await waitFor(async () => {
    const client = await SmtpClient.open(instance.smtpPort)
    await client.say('EHLO client.test', '250')
    const found = await client.say('MAIL FROM:<sender@example.test>', '')
    await client.quit()
    return found.startsWith('250') ? undefined : found
  })
  t.equal(reply, '452 4.3.1 Insufficient system storage')
  await site.waitForLog(
    /smtpd\[\d+\]: warning: not enough free space in mail queue: \d+ bytes < 1\.5\*message size limit/,
  )
})

t.test('no room in the middle of the content: 451, and the next one is served', async (t) => {
  const large = await offer('user@ok.test', 'large', 1_000_000)
  t.match(large, '451 4.3.0 Error: queue file write error')
  t.equal(await offer('user@ok.test', 'small'), undefined)
  await site.waitForLog(/cleanup\[\d+\]: warning: \w+: write queue file: No space left on device/)
})

t.test('many at once for the room that is left', async (t) => {
  await leaveFree(CONCURRENT * 2000)
  const offers = Array.from({ length: CONCURRENT }, async (_, at) =>
    offer('user@ok.test', `crowd ${at}`, 10_000),
  )
  for (const refusal of await Promise.all(offers)) {
    if (refusal !== undefined) t.match(refusal, '451 4.3.0 Error: queue file write error')
  }
})

t.test('no room at all', async (t) => {
  await waitFor(async () => (await instance.queued()).length === 0, 'the end of deliveries')
  await leaveFree(0)
  t.match(await offer('user@ok.test', 'nowhere'), /45[12] 4\.3\.[01] /)
  const submission = await execa(
    instance.command('sendmail'),
    ['-C', instance.configDirectory, 'user@ok.test'],
    { input: 'hello', env: { MAIL_CONFIG: instance.configDirectory }, reject: false, all: true },
  )
  t.equal(submission.exitCode, 75, 'sendmail says: try again later')
  t.match(submission.all, 'queue file write error')
})

t.test('no room to write down why delivery failed: the recipient is tried again', async (t) => {
  await rm(filler)
  const logs = ['bounce', 'defer'].map((name) => join(instance.queueDirectory, name))
  const { stdout: owner } = await execa('id', ['-u', 'postfix'])
  for (const log of logs) {
    await execa('mount', ['-t', 'tmpfs', '-o', `size=4k,mode=700,uid=${owner}`, 'tmpfs', log])
    await writeFile(join(log, 'filler'), Buffer.alloc(4096))
  }
  t.teardown(async () => execa('umount', ['-l', ...logs], { reject: false }))
  t.equal(await offer('nobody@bad.test', 'bounces'), undefined)
  t.equal(await offer('later@bad.test', 'is deferred'), undefined)
  await site.waitForLog(/bounce\[\d+\]: warning: append file defer \w+: No space left on device/)
  await site.waitForLog(
    /to=<nobody@bad\.test>,.* dsn=4\.3\.0, status=deferred \(bounce or trace service failure\)/,
  )
  await waitFor(async () => (await instance.queued('deferred')).length === 2, 'two deferrals')
  await execa('umount', logs)
  await site.waitForLog(/to=<nobody@bad\.test>,.* status=bounced/)
  await site.waitForLog(/to=<later@bad\.test>,.* status=deferred \(host 127.* 450 4\.2\.0 later/)
  isAccepting = true
})

t.test('with room again everything goes out', async (t) => {
  await waitFor(async () => (await instance.queued()).length === 0, 'an empty queue', 20_000)
  const subjects = site.sink.messages.map(({ content }) => /^Subject: (.*)\r$/m.exec(content)?.[1])
  for (const subject of accepted) {
    if (subject === 'bounces' || subject === 'is deferred') continue
    t.equal(subjects.filter((one) => one === subject).length, 1, `${subject} arrived once`)
  }
  t.equal(peer.messages.length, 1, 'the recipient that was deferred has it')
  t.equal(subjects.filter((one) => one?.startsWith('Undelivered')).length, 1, 'one notice')
  const known = new Set([...accepted, 'probe 1', 'Undelivered Mail Returned to Sender'])
  t.same(
    subjects.filter((one) => !known.has(one ?? '')),
    [],
    'nothing else arrived',
  )
  const isWhole = /(?:end|hello|--)\r\n(?:\r\n)?$/
  t.same(
    site.sink.messages.filter(({ content }) => !isWhole.test(content)),
    [],
    'whole',
  )
  t.same(await instance.queued('corrupt'), [])
  await site.probe()
  t.same(await site.crashes(/sendmail\[\d+\]: fatal: .*queue file write error/), [])
})
