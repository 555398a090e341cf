import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { createDeliveryContext } from '@posthorn/delivery/delivery-context'
import { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { MailboxDelivery } from '@posthorn/delivery/mailbox/mailbox-delivery'
import { captureLog } from '@posthorn/log/capture-log'
import { SystemError } from '@posthorn/native/system-error'
import { OpenQueueFile } from '@posthorn/queue/open-queue-file'
import { parseQueueId } from '@posthorn/queue/queue-id'
import { encodeRecord } from '@posthorn/queue/record'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { DELIVERY_FLAGS, noStats, type DeliveryRequest } from '@posthorn/wire/delivery-request'
import { localAgent } from './local-agent.ts'
import { readLocalSettings } from './local-settings.ts'
import { MailboxRoutes } from './mailbox-routes.ts'
import { warnAboutUnsupported } from './warn-about-unsupported.ts'

const request: DeliveryRequest = {
  flags: DELIVERY_FLAGS.success | DELIVERY_FLAGS.bounce,
  queueName: 'active',
  queueId: 'A1',
  dataOffset: 0,
  sizeBytes: 10,
  nexthop: 'host.test',
  encoding: '',
  smtpUtf8: 0,
  sender: 's@x.test',
  envelopeId: '',
  returnFlags: 0,
  stats: noStats,
  clientName: '',
  clientAddress: '',
  clientPort: '',
  clientProtocol: '',
  clientHelo: '',
  saslMethod: '',
  saslUsername: '',
  saslSender: '',
  logIdent: '',
  rewriteContext: 'local',
}

interface Setup {
  readonly settings?: Record<string, string>
  readonly lines?: readonly string[]
  readonly flags?: number
  readonly original?: string
  /** Path below the home directory of bob, and what is in the file. */
  readonly homeFile?: readonly [path: string, text: string, mode?: number]
}

/** Delivers one message to one recipient; what the log says of it, and the directory that it was done in. */
async function deliver(
  test: Parameters<typeof temporaryDirectory>[0],
  address: string,
  setup: Setup = {},
): Promise<{ directory: string; lines: string[]; records: string[] }> {
  const directory = temporaryDirectory(test)
  mkdirSync(`${directory}/active`)
  mkdirSync(`${directory}/mail`)
  mkdirSync(`${directory}/home`)
  if (setup.homeFile !== undefined) {
    const [path, text, mode = 0o644] = setup.homeFile
    writeFileSync(`${directory}/home/${path}`, text)
    chmodSync(`${directory}/home/${path}`, mode)
  }
  const recipientRecord = encodeRecord('R', address)
  const content = (setup.lines ?? ['Subject: x', '', 'hi']).map((line) => encodeRecord('N', line))
  writeFileSync(
    `${directory}/active/A1`,
    `${recipientRecord}${content.join('')}${encodeRecord('X')}${encodeRecord('E')}`,
    'latin1',
  )
  const config = MainConfig.of({
    mail_spool_directory: `${directory}/mail`,
    alias_maps: '',
    recipient_delimiter: '+',
    deliver_lock_attempts: '1',
    ...setup.settings,
  })
  const records: string[] = []
  const context = {
    ...createDeliveryContext(config),
    records: {
      append: async (kind: string) => {
        records.push(kind)
        return Promise.resolve(true)
      },
      updateVerify: async () => Promise.resolve(true),
      addToFlush: async () => Promise.resolve(),
    },
  }
  const before = process.cwd()
  process.chdir(directory)
  const log = captureLog()
  const file = OpenQueueFile.open(context.layout, 'active', parseQueueId('A1'), 'shared')
  if (file === undefined) throw new Error('no queue file')
  const recipient = {
    recipient: address,
    originalRecipient: setup.original ?? address,
    dsnOriginalRecipient: '',
    notifyFlags: 0,
    offset: 0,
  }
  const job = new DeliveryJob(
    context,
    {
      ...request,
      flags: request.flags | (setup.flags ?? 0),
      dataOffset: recipientRecord.length,
      stats: { ...noStats, arrivalMs: Date.now(), activeMs: Date.now() },
    },
    [recipient],
    file,
  )
  const mailboxes = new MailboxDelivery()
  try {
    const agent = localAgent(readLocalSettings(config), {
      mailboxes,
      routes: new MailboxRoutes(config),
      findUser: (name) => {
        if (name === 'trouble') throw new SystemError('getpwnam', 5)
        if (!['bob', 'nohome'].includes(name)) return undefined
        return {
          name,
          uid: process.getuid?.() ?? 0,
          gid: process.getgid?.() ?? 0,
          home: name === 'bob' ? `${directory}/home` : '/nonexistent/home',
          shell: '/bin/sh',
          gecos: '',
        }
      },
      complete: async (target) =>
        Promise.resolve(target.includes('@') ? target : `${target}@host.test`),
    })
    await agent.deliver(job)
  } finally {
    file.close()
    mailboxes.close()
    log.restore()
    process.chdir(before)
  }
  return { directory, lines: log.lines.map((line) => line.replace(/delay.*dsn/, 'dsn')), records }
}

t.test('localAgent() delivers to the mail spool', async (t) => {
  const { directory, lines } = await deliver(t, 'Bob+ext@host.test')
  t.same(lines, [
    'A1: to=<Bob+ext@host.test>, relay=local, dsn=2.0.0, status=sent (delivered to mailbox)',
  ])
  const text = readFileSync(`${directory}/mail/bob`, 'latin1')
  t.match(
    text,
    /^From s@x\.test {2}.*\nReturn-Path: <s@x\.test>\nX-Original-To: Bob\+ext@host\.test\nDelivered-To: Bob\+ext@host\.test\nSubject: x\n\nhi\n\n$/,
  )
  t.equal(readFileSync(`${directory}/active/A1`, 'latin1')[0], 'D', 'marked done')
})

t.test('localAgent() delivers to a maildir at home and in the spool', async (t) => {
  const home = await deliver(t, 'bob@host.test', {
    settings: { home_mailbox: 'Maildir/', enable_original_recipient: 'no' },
  })
  t.match(home.lines[0], 'status=sent (delivered to maildir)')
  const [name = ''] = readdirSync(`${home.directory}/home/Maildir/new`)
  t.equal(
    readFileSync(`${home.directory}/home/Maildir/new/${name}`, 'latin1'),
    'Return-Path: <s@x.test>\nDelivered-To: bob@host.test\nSubject: x\n\nhi\n',
  )
  const directory = temporaryDirectory(t)
  const spool = await deliver(t, 'bob@host.test', {
    settings: { mail_spool_directory: `${directory}/` },
  })
  t.match(spool.lines[0], 'delivered to maildir')
  t.equal(readdirSync(`${directory}/bob/new`).length, 1)
})

t.test('localAgent() bounces what cannot be', async (t) => {
  const unknown = await deliver(t, 'nobody-here+x@host.test')
  t.same(unknown.lines, [
    'A1: to=<nobody-here+x@host.test>, relay=local, dsn=5.1.1, status=bounced (unknown user: "nobody-here")',
  ])
  t.same(unknown.records, ['bounce'])
  const nameless = await deliver(t, '@host.test')
  t.match(nameless.lines[0], 'dsn=5.1.3, status=bounced (null username in "@host.test")')
  const loop = await deliver(t, 'bob@host.test', {
    lines: ['Delivered-To: BOB@host.test', 'Subject: x', '', 'hi'],
  })
  t.match(loop.lines[0], 'dsn=5.4.6, status=bounced (mail forwarding loop for bob@host.test)')
  const body = await deliver(t, 'bob@host.test', {
    lines: ['Subject: x', '', 'Delivered-To: bob@host.test'],
  })
  t.match(body.lines[0], 'status=sent')
})

t.test('localAgent() reports trouble with the mailbox', async (t) => {
  const { lines } = await deliver(t, 'bob@host.test', {
    settings: { home_mailbox: 'none/box' },
  })
  t.match(
    lines[0],
    /dsn=5\.2\.0, status=bounced \(cannot update mailbox \S+\/home\/none\/box for user bob\. unable to create lock file \S+\/home\/none\/box\.lock: No such file or directory\)$/,
  )
  const home = await deliver(t, 'nohome@host.test', { settings: { require_home_directory: 'yes' } })
  t.match(
    home.lines[0],
    'dsn=4.3.0, status=deferred (cannot access home directory /nonexistent/home: No such file or directory)',
  )
  const trouble = await deliver(t, 'trouble@host.test')
  t.match(trouble.lines[0], 'warning: error looking up passwd info for trouble: Input/output error')
  t.match(trouble.lines[1], 'dsn=4.0.0, status=deferred (user lookup error)')
  const damaged = await deliver(t, 'bob@host.test', { lines: ['a', '', 'x'].concat('\0') })
  t.match(damaged.lines[0], 'status=sent', 'a NUL octet is text')
})

t.test('localAgent() gives mail for unknown users to luser_relay', async (t) => {
  const known = await deliver(t, 'lost+Ext@host.test', {
    settings: { luser_relay: 'bob+$user.$extension' },
  })
  t.same(known.lines, [
    'A1: to=<bob+lost.ext@host.test>, orig_to=<lost+Ext@host.test>, relay=local, dsn=2.0.0, status=sent (delivered to mailbox)',
  ])
  t.match(
    readFileSync(`${known.directory}/mail/bob`, 'latin1'),
    '\nDelivered-To: lost+Ext@host.test\n',
  )
  const unknown = await deliver(t, 'lost@host.test', { settings: { luser_relay: 'lost2' } })
  t.match(unknown.lines[0], 'status=bounced (unknown user: "lost2")')
  const command = await deliver(t, 'lost@host.test', { settings: { luser_relay: '|cat' } })
  t.match(command.lines[1], 'dsn=4.3.5, status=deferred (mail system configuration error)')
})

t.test('localAgent(): postmaster without an alias', async (t) => {
  const { lines } = await deliver(t, 'PostMaster@host.test')
  t.same(lines, [
    'warning: required alias not found: postmaster',
    'A1: to=<PostMaster@host.test>, relay=local, dsn=2.0.0, status=sent (discarded)',
  ])
  const relayed = await deliver(t, 'postmaster@host.test', { settings: { luser_relay: 'bob' } })
  t.match(relayed.lines[0], 'to=<bob@host.test>, orig_to=<postmaster@host.test>')
})

t.test('localAgent() lets mail for aliases wait', async (t) => {
  const settings = { alias_maps: 'inline:{bob=x, list+x=y, postmaster=z, ghost=w}' }
  const wait = (name: string): RegExp =>
    new RegExp(
      `dsn=4\\.3\\.5, status=deferred \\(alias expansion is not available yet; alias_maps has "${name}"\\)$`,
    )
  for (const [address, name] of [
    ['BOB+more@host.test', 'bob'],
    ['List+X@host.test', 'list\\+x'],
    ['postmaster@host.test', 'postmaster'],
    ['ghost@host.test', 'ghost'],
  ] as const) {
    const { directory, lines, records } = await deliver(t, address, { settings })
    t.match(lines[0], wait(name))
    t.same(records, ['defer'])
    t.same(readdirSync(`${directory}/mail`), [])
  }
  const unknown = await deliver(t, 'list@host.test', { settings })
  t.match(unknown.lines[0], 'dsn=5.1.1, status=bounced')
  for (const address of ['bob@host.test', 'nobody-here@host.test', 'postmaster@host.test']) {
    const { lines } = await deliver(t, address, { settings: { alias_maps: 'fail:x' } })
    t.match(lines.at(-1), 'dsn=4.3.0, status=deferred (alias database unavailable)')
  }
})

t.test('localAgent() lets mail for other ways wait', async (t) => {
  const cases: [Record<string, string>, address: string, result: string][] = [
    [{ mailbox_transport: 'x:' }, 'bob', '(mailbox_transport is not available yet; it is set)'],
    [{ mailbox_transport: 'x:' }, 'lost', '(mailbox_transport is not available yet; it is set)'],
    [{ mailbox_transport_maps: 'inline:{bob=x:}' }, 'bob+e', '(mailbox_transport_maps is not'],
    [{ mailbox_transport_maps: 'inline:{joe=x:}' }, 'bob', '(delivered to mailbox)'],
    [{ mailbox_transport_maps: 'fail:x' }, 'bob', 'dsn=4.3.0, status=deferred (table lookup fail'],
    [{ mailbox_command: '/bin/x $USER' }, 'bob', 'dsn=4.3.5, status=deferred (mailbox_command is'],
    [{ mailbox_command: '/bin/x' }, 'lost', '(unknown user: "lost")'],
    [{ mailbox_command_maps: 'inline:{bob=x}' }, 'bob', '(mailbox_command_maps is not'],
    [{ fallback_transport: 'x:' }, 'lost', 'dsn=4.3.5, status=deferred (fallback_transport is'],
    [{ fallback_transport: 'x:' }, 'bob', '(delivered to mailbox)'],
    [{ fallback_transport_maps: 'fail:x' }, 'lost', 'status=deferred (table lookup failure)'],
  ]
  for (const [settings, address, result] of cases) {
    const { lines } = await deliver(t, `${address}@host.test`, { settings })
    t.match(lines.at(-1), result, JSON.stringify(settings))
  }
})

t.test('localAgent() lets mail for users who forward it wait', async (t) => {
  const refused = await deliver(t, 'bob@host.test', { homeFile: ['.forward', 'me@x.test'] })
  t.match(
    refused.lines[0],
    /dsn=4\.3\.5, status=deferred \(forwarding is not available yet; there is a file \S+\/home\/\.forward\)$/,
  )
  const extended = await deliver(t, 'bob+Ext/../x@host.test', { homeFile: ['.forward+ext', 'a'] })
  t.match(extended.lines[0], 'status=sent', 'an extension is no path')
  const own = await deliver(t, 'bob+Ext@host.test', { homeFile: ['.forward+ext', 'a'] })
  t.match(own.lines[0], 'status=deferred (forwarding is')
  const other = await deliver(t, 'bob+two@host.test', { homeFile: ['.forward+ext', 'a'] })
  t.match(other.lines[0], 'status=sent')
  const empty = await deliver(t, 'bob@host.test', { homeFile: ['.forward', ''] })
  t.match(empty.lines[0], 'status=sent')
  const writable = await deliver(t, 'bob@host.test', { homeFile: ['.forward', 'a', 0o666] })
  t.match(writable.lines[0], /^warning: file \S+\.forward is world writable$/)
  t.match(writable.lines[1], 'status=sent')
})

t.test('warnAboutUnsupported() names what is set', (t) => {
  const captured = captureLog()
  warnAboutUnsupported(MainConfig.of({ alias_maps: '', mailbox_command: '/bin/procmail' }))
  captured.restore()
  t.same(captured.lines, [
    'warning: mailbox_command is not supported yet: mail that it is about is deferred',
  ])
  t.end()
})

t.test('localAgent() does not deliver a probe', async (t) => {
  const { directory, lines } = await deliver(t, 'bob@host.test', {
    flags: DELIVERY_FLAGS.mtaVerify,
  })
  t.match(lines[0], 'status=deliverable (delivers to mailbox)')
  t.same(readdirSync(`${directory}/mail`), [])
})
