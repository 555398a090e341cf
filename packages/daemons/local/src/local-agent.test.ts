import { readdirSync, readFileSync } from 'node:fs'
import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import { deliver } from './test/local-fixture.ts'
import { warnAboutUnsupported } from './warn-about-unsupported.ts'

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
  t.match(
    command.lines[0],
    'dsn=4.3.5, status=deferred (delivery to the command cat is not available yet)',
  )
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

t.test('localAgent() goes other ways', async (t) => {
  const passed = '(passed on)'
  const cases: [Record<string, string>, address: string, result: string, isDone?: boolean][] = [
    [{ mailbox_transport: 'local:' }, 'bob', 'deferred (mail system configuration error)', false],
    [{ mailbox_transport: 'x:' }, 'bob', passed],
    [{ mailbox_transport: 'x:' }, 'lost', passed],
    [{ mailbox_transport: 'later:' }, 'bob', passed, false],
    [
      { mailbox_transport: 'broken:' },
      'bob',
      'status=deferred (mail transport unavailable)',
      false,
    ],
    [{ mailbox_transport_maps: 'inline:{bob=x:}' }, 'bob+e', passed],
    [{ mailbox_transport_maps: 'inline:{joe=x:}' }, 'bob', '(delivered to mailbox)'],
    [{ mailbox_transport_maps: 'fail:x' }, 'bob', 'status=deferred (table lookup failure)', false],
    [
      { mailbox_command: '/bin/x' },
      'bob',
      'deferred (delivery to the command /bin/x is not',
      false,
    ],
    [{ mailbox_command: '/bin/x' }, 'lost', '(unknown user: "lost")'],
    [
      { mailbox_command_maps: 'inline:{bob=x}' },
      'bob',
      'deferred (delivery to the command x',
      false,
    ],
    [{ fallback_transport: 'x:' }, 'lost', passed],
    [{ fallback_transport: 'x:' }, 'bob', '(delivered to mailbox)'],
    [{ fallback_transport_maps: 'fail:x' }, 'lost', 'deferred (table lookup failure)', false],
  ]
  for (const [settings, address, result, isDone = true] of cases) {
    const seen = await deliver(t, `${address}@host.test`, { settings })
    const what = JSON.stringify(settings)
    if (result === passed) {
      t.same(seen.lines, [], what)
      t.match(seen.forwarded, [/^(x|later): gets (bob|lost)/], what)
    } else t.match(seen.lines.at(-1), result, what)
    t.equal(readFileSync(`${seen.directory}/active/A1`, 'latin1')[0], isDone ? 'D' : 'R', what)
  }
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
