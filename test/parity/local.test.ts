/**
 * local - both systems deliver to the users of this system in the same way: mailboxes, homes, failures
 *
 * System users that every Debian has; their mailboxes are in the instance's own directory. Needs root and
 * Postfix 3.7.
 */
import { chmod, chown, link, mkdir, writeFile } from 'node:fs/promises'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { tryFcntlLock } from '@posthorn/native/lock'
import t from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { onBoth } from './both-systems.ts'
import { mailboxTree } from './mailbox-tree.ts'
import { QueueWatch } from './queue-watch.ts'

/** Services of local(8), each with its own settings, for a domain of the same name. */
const SERVICES: Record<string, readonly string[]> = {
  maildir: ['mail_spool_directory=$queue_directory/../maildirs/'],
  home: ['home_mailbox=../..$queue_directory/../homes/Mailbox'],
  homedir: ['home_mailbox=../..$queue_directory/../homes/Maildir/'],
  lax: ['strict_mailbox_ownership=no'],
  relayed: ['luser_relay=daemon'],
  plus: ['luser_relay=games+$local'],
  bare: ['enable_original_recipient=no', 'prepend_delivered_header=command'],
  athome: ['require_home_directory=yes'],
  shouting: ['recipient_delimiter=-'],
  passing: ['mailbox_transport=discard:gone'],
  falling: ['{ fallback_transport = error:5.1.1 no such person }'],
  choosing: ['mailbox_transport_maps=inline:{games=discard:chosen}'],
}

const MAIN = {
  mydestination: `$myhostname, ${Object.keys(SERVICES)
    .map((name) => `${name}.test`)
    .join(', ')}`,
  transport_maps: `inline:{ ${Object.keys(SERVICES)
    .map((name) => `{${name}.test = ${name}:}`)
    .join(', ')} }`,
  mail_spool_directory: '$queue_directory/../spools',
  recipient_delimiter: '+',
  message_size_limit: '40000',
  mailbox_size_limit: '60000',
  deliver_lock_attempts: '2',
  alias_maps: '',
  forward_path: '',
  biff: 'no',
}

const MASTER = Object.entries(SERVICES).map(
  ([name, settings]) =>
    `${name} unix - n n - - local ${settings.map((setting) => `-o ${setting}`).join(' ')}`,
)

const PLAIN = 'From: x@y.test\nSubject: plain\n\nhello\nFrom here\n'

interface Submission {
  readonly to: string
  readonly from?: string
  readonly content?: string
  readonly args?: readonly string[]
}

async function prepare(directory: string): Promise<void> {
  for (const name of ['spools', 'maildirs', 'homes']) {
    await mkdir(join(directory, name))
    await chmod(join(directory, name), 0o1777)
  }
  const spool = (name: string): string => join(directory, 'spools', name)
  const ids: Record<string, number> = { lp: 7, mail: 8, news: 9, uucp: 10, 'www-data': 33 }
  for (const [name, id] of Object.entries(ids)) {
    await writeFile(spool(name), name === 'mail' ? 'x'.repeat(59_900) : '', { mode: 0o600 })
    if (name !== 'lp') await chown(spool(name), id, id)
  }
  await chmod(spool('lp'), 0o666)
  await link(spool('news'), spool('news2'))
  await mkdir(spool('sys'))
  await writeFile(join(directory, 'spools/uucp.lock'), '')
}

async function script(instance: Instance): Promise<Record<string, unknown>> {
  const watch = new QueueWatch(instance)
  await prepare(instance.directory)
  const report: Record<string, unknown> = {}
  const deliver = async (what: string, messages: readonly Submission[]): Promise<void> =>
    deliverBy(what, 'local', messages)
  const deliverBy = async (
    what: string,
    programs: string,
    messages: readonly Submission[],
  ): Promise<void> => {
    const submit = async ({
      to,
      from = 's@s.test',
      content = PLAIN,
      args = [],
    }: Submission): Promise<void> => watch.submit(from, [to], { content, args })
    await Promise.all(messages.map(submit))
    await watch.logged(new RegExp(`postfix/(${programs})\\[\\d+\\]: .*status=`), messages.length)
    await watch.settle()
    const lines = await watch.taken(programs.split('|'))
    report[what] = lines.map((line) =>
      line.replace(/(QUEUEID|\d{10})\.P\d+(Q\d+)?\./, 'SECONDS.Ppid.'),
    )
    await watch.removeAll()
  }
  await deliver('mailboxes', [
    { to: 'daemon@mx.example.test' },
    { to: 'Bin+Ext@mx.example.test', from: '"a b"@s.test' },
    { to: 'games@maildir.test' },
    { to: 'games@home.test', from: '' },
    { to: 'games@homedir.test' },
    { to: 'man-x@shouting.test' },
    { to: 'proxy@bare.test', content: 'Delivered-To: other@x.test\nSubject: y\n\nlast words' },
    { to: 'root@mx.example.test' },
  ])
  await deliver('unknown users', [
    { to: 'nosuchuser@mx.example.test' },
    { to: 'nosuch+ext@mx.example.test' },
    { to: 'postmaster@mx.example.test' },
    { to: 'MAILER-DAEMON@mx.example.test' },
    { to: 'abuse@mx.example.test' },
    { to: 'nosuchuser@relayed.test' },
    { to: 'nosuchuser@plus.test' },
    { to: '"with space"@mx.example.test' },
    { to: '"/etc/passwd"@mx.example.test' },
    { to: '"|/bin/true"@mx.example.test' },
    { to: '".."@mx.example.test' },
  ])
  const fd = openSync(join(instance.directory, 'spools/www-data'), 'r+')
  tryFcntlLock(fd, 'exclusive')
  await deliver('refused', [
    { to: 'lp@mx.example.test' },
    { to: 'mail@mx.example.test' },
    { to: 'news@mx.example.test' },
    { to: 'uucp@mx.example.test' },
    { to: 'www-data@mx.example.test' },
    { to: 'sys@mx.example.test' },
    { to: 'nobody@athome.test' },
    { to: 'nobody@home.test' },
    { to: 'nobody@homedir.test' },
  ])
  closeSync(fd)
  await deliverBy('other agents', 'discard|error|local', [
    { to: 'daemon@passing.test' },
    { to: 'nosuchuser@passing.test' },
    { to: 'nosuchuser@falling.test' },
    { to: 'games@falling.test' },
    { to: 'games+x@choosing.test' },
    { to: 'daemon@choosing.test' },
    { to: 'daemon@passing.test', args: ['-bv'] },
  ])
  await deliver('not strict', [{ to: 'lp@lax.test' }])
  await deliver('loops', [
    {
      to: 'daemon@mx.example.test',
      content: `Received: x\nDelivered-To: DAEMON@mx.example.test\n${PLAIN}`,
    },
    { to: 'daemon@mx.example.test', content: `X: y\n\nDelivered-To: daemon@mx.example.test\n` },
  ])
  await deliver(
    'probes',
    [
      'daemon@mx.example.test',
      'games@maildir.test',
      'nosuchuser@mx.example.test',
      'postmaster@mx.example.test',
      'nosuchuser@relayed.test',
    ].map((to) => ({ to, args: ['-bv'] })),
  )
  for (const name of ['spools', 'maildirs', 'homes'])
    report[name] = await mailboxTree(join(instance.directory, name))
  return report
}

t.setTimeout(120_000)

t.test('mail for users', { timeout: 120_000 }, async (t) => {
  const { postfix, posthorn } = await onBoth(t, { main: MAIN, master: MASTER }, script)
  for (const [what, seen] of Object.entries(postfix)) t.same(posthorn[what], seen, what)
})
