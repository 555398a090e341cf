/**
 * bad-tables - lookup tables that are missing, unreadable, or on a server that does not answer
 *
 * Whatever cannot be looked up now is answered with 4xx or waits in the queue; nothing is refused for good, bounced
 * or lost. Once the table is there, and after a reload, everything goes out.
 */
import { once } from 'node:events'
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { join } from 'node:path'
import { freePort } from '@posthorn/testing/free-port'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import t from 'tap'
import { Site } from './bad-input-site.ts'
import { daemonsOf } from './daemons-of.ts'
import { RawClient } from './raw-client.ts'

const RECIPIENT = 'user@tables.test'
const ALIAS = 'alias@alias.test'

const site = await Site.start(t, {
  main: {
    relay_domains: 'tables.test',
    virtual_alias_domains: 'alias.test',
    virtual_alias_maps: `inline:{ ${ALIAS}=${RECIPIENT} }`,
    ipc_timeout: '10s',
  },
})
const { instance } = site
const folder = join(instance.directory, 'tables')
const mainFile = join(instance.configDirectory, 'main.cf')
const settings = await readFile(mainFile, 'latin1')
await mkdir(folder)

/** One setting instead of what main.cf says; everything else stays. Done when nobody works by the old one any more. */
async function configure(name: string, value: string): Promise<void> {
  const master = await instance.masterPid()
  const isOfMail = ({ name }: { name: string }): boolean =>
    /(smtpd|cleanup|rewrite|qmgr) -/.test(name)
  const before = (await daemonsOf(master)).filter(isOfMail).map(({ pid }) => pid)
  const lines = settings.split('\n').filter((line) => !line.startsWith(`${name} = `))
  await writeFile(mainFile, [...lines, `${name} = ${value}`, ''].join('\n'))
  await instance.run('postfix', ['reload'])
  await waitFor(
    async () => (await daemonsOf(master)).every(({ pid }) => !before.includes(pid)),
    'the daemons of before to leave',
    20_000,
  )
}

interface Answers {
  /** To the recipients, in their order. */
  readonly recipients: readonly string[]
  /** To the content; undefined when no recipient was accepted. */
  readonly content: string | undefined
}

async function offer(subject: string, recipients: readonly string[]): Promise<Answers> {
  const client = await RawClient.connect(instance.smtpPort)
  const say = async (line: string): Promise<string> => {
    const before = client.received.length
    if (line !== '') await client.send(`${line}\r\n`)
    const found = await waitFor(
      () => /^(?:\d{3}-.*\r\n)*\d{3} .*\r\n/.exec(client.received.slice(before))?.[0],
      `the reply to ${line}`,
      20_000,
    )
    return found.trimEnd()
  }
  try {
    for (const line of ['', 'EHLO client.test', 'MAIL FROM:<sender@example.test>']) await say(line)
    const answers: string[] = []
    for (const recipient of recipients) answers.push(await say(`RCPT TO:<${recipient}>`))
    if (!answers.some((answer) => answer.startsWith('2'))) {
      return { recipients: answers, content: undefined }
    }
    await say('DATA')
    const content = await say(`Subject: ${subject}\r\n\r\nhello\r\n.`)
    return { recipients: answers, content }
  } finally {
    client.close()
  }
}

/** Submits a message and waits until it has arrived, or has met the table that is not there. */
async function submit(subject: string): Promise<void> {
  const before = (await site.log()).length
  await execa(
    instance.command('sendmail'),
    ['-C', instance.configDirectory, '-f', 'local@example.test', RECIPIENT],
    { input: `Subject: ${subject}\n\nhello\n`, env: { MAIL_CONFIG: instance.configDirectory } },
  )
  await waitFor(
    async () => /error writing|status=deferred|: removed/.test((await site.log()).slice(before)),
    `the fate of ${subject}`,
    20_000,
  )
  // a queue manager that finds a delivery under way leaves that message alone for a minute
  await waitFor(async () => (await instance.queued('active')).length === 0, 'the end of delivery')
}

/** A server of tcp_table(5) that knows nothing. */
async function startTableServer(port: number): Promise<Server> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined)
    socket.on('data', (octets) => {
      const requests = octets.toString('latin1').split('\n').length - 1
      socket.write('500 absent\n'.repeat(requests))
    })
  })
  server.listen(port, '127.0.0.1')
  await once(server, 'listening')
  return server
}

interface Case {
  readonly parameter: string
  /** Around the table. */
  readonly value?: (table: string) => string
  readonly type: 'hash' | 'regexp' | 'tcp' | 'unreadable'
  readonly content: string
  /** What smtpd(8) says to the recipients, or cleanup(8) to the content. */
  readonly answer: RegExp
}

const temporary = /^451 4\.3\.0 <.*>: Temporary lookup failure$/
const writeError = /^451 4\.3\.0 Error: queue file write error$/

const cases: readonly Case[] = [
  {
    parameter: 'virtual_alias_maps',
    type: 'hash',
    content: `${ALIAS} ${RECIPIENT}`,
    answer: temporary,
  },
  {
    parameter: 'transport_maps',
    type: 'hash',
    content: `tables.test smtp:[127.0.0.1]:${site.sink.port}`,
    answer: temporary,
  },
  { parameter: 'relay_domains', type: 'unreadable', content: 'tables.test x', answer: temporary },
  { parameter: 'relay_recipient_maps', type: 'hash', content: `${RECIPIENT} x`, answer: temporary },
  { parameter: 'canonical_maps', type: 'tcp', content: '', answer: temporary },
  { parameter: 'header_checks', type: 'regexp', content: '/^Nothing/ DUNNO', answer: writeError },
  { parameter: 'sender_bcc_maps', type: 'hash', content: 'x y', answer: writeError },
  {
    parameter: 'smtpd_recipient_restrictions',
    value: (table) => `check_recipient_access ${table}, permit_mynetworks, reject`,
    type: 'hash',
    content: `${RECIPIENT} OK`,
    answer: /^451 4\.3\.5 <.*>: Recipient address rejected: Server configuration error$/,
  },
]

for (const { parameter, value, type, content, answer } of cases) {
  t.test(`${parameter} in a ${type} table`, async (t) => {
    const port = await freePort()
    const file = join(folder, parameter)
    const kind = type === 'unreadable' ? 'texthash' : type
    const table = type === 'tcp' ? `tcp:127.0.0.1:${port}` : `${kind}:${file}`
    // daemons open tables while they still are root, who is refused nothing but to read a directory
    if (type === 'unreadable') await mkdir(file)
    await configure(parameter, value?.(table) ?? table)
    const isAlias = parameter === 'virtual_alias_maps'
    const recipients = isAlias ? [ALIAS, RECIPIENT] : [RECIPIENT]
    const answers = await offer(`${parameter} refused`, recipients)
    const given = answers.content === undefined ? answers.recipients : [answers.content]
    for (const one of given) t.match(one, answer)
    await submit(`${parameter} submitted`)

    let server: Server | undefined
    if (type === 'tcp') server = await startTableServer(port)
    else {
      await rm(file, { recursive: true, force: true })
      await writeFile(file, `${content}\n`)
      if (type === 'hash') await execa('postmap', [`hash:${file}`])
    }
    await instance.run('postfix', ['reload'])
    await site.arrival(`${parameter} submitted`)
    const repaired = await offer(`${parameter} accepted`, recipients)
    t.match(repaired.content, /^250 /)
    await site.arrival(`${parameter} accepted`)
    server?.close()
  })
}

t.test('afterwards', async (t) => {
  await site.probe()
  await waitFor(async () => (await instance.queued()).length === 0, 'an empty queue')
  t.notMatch(await site.log(), /status=bounced/, 'nothing was returned')
  const subjects = site.sink.messages.map(({ content }) => /^Subject: (.*)\r$/m.exec(content)?.[1])
  t.equal(new Set(subjects).size, subjects.length, 'nothing arrived twice')
  t.notOk(subjects.some((subject) => subject?.includes('refused')))
  t.same(await site.crashes(), [])
})
