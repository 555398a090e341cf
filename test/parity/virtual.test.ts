/**
 * virtual - both systems write the same mailboxes and maildirs, and refuse the same ones in the same words
 *
 * Needs root and Postfix 3.7.
 */
import { chmod, chown, link, mkdir, stat, symlink, writeFile } from 'node:fs/promises'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { tryFcntlLock, tryLock } from '@posthorn/native/lock'
import { waitFor } from '@posthorn/testing/wait-for'
import t from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { onBoth } from './both-systems.ts'
import { mailboxTree } from './mailbox-tree.ts'
import { QueueWatch } from './queue-watch.ts'

const OWNER = 5000
const STALE_MS = 5000

const PLAIN = 'Subject: plain\n\nhello\n'

const TEXTS: Record<string, string> = {
  plain: PLAIN,
  'From lines': 'Subject: x\n\nFrom me to you\n>From here\n From there\nFromage\n\nFrom \n',
  'no newline at the end': 'Subject: x\n\nlast words',
  'no body': 'Subject: x\n',
  'From_ in the header': 'From someone Fri Jan  2 00:00:00 2026\nSubject: x\n\nx\n',
  '8-bit': 'Subject: x\n\nna\xefve \x00 \x7f\n',
  'long lines': `Subject: x\n\n${'word '.repeat(2000)}\nFrom ${'y'.repeat(3000)}\n`,
  big: `Subject: big\n\n${'0123456789abcde\n'.repeat(2000)}`,
}

interface Submission {
  readonly to: string
  readonly from?: string
  readonly content?: string
  readonly args?: readonly string[]
}

/** Local part to mailbox below virtual_mailbox_base. */
const MAILBOXES: Record<string, string> = {
  mbox: 'mbox',
  maildir: 'maildir/',
  deep: 'not/there/yet/',
  nodir: 'nowhere/mbox',
  closed: 'closed/mbox',
  closeddir: 'closed/maildir/',
  isdir: 'isdir',
  linked: 'linked',
  symlink: 'symlink',
  foreign: 'foreign',
  full: 'full',
  locked: 'locked',
  stale: 'stale',
  flocked: 'flocked',
  fcntled: 'fcntled',
  ...Object.fromEntries(
    Object.keys(TEXTS).flatMap((_, at) => [
      [`text${at}`, `text${at}`],
      [`dir${at}`, `dir${at}/`],
    ]),
  ),
  baduid: 'x',
  lowuid: 'x',
  nouid: 'x',
  badgid: 'x',
  nogid: 'x',
}

const table = (entries: Record<string, string>): string =>
  `inline:{ ${Object.entries(entries)
    .map(([key, value]) => `{${key} = ${value}}`)
    .join(', ')} }`

const atDomain = (entries: Record<string, string>): Record<string, string> =>
  Object.fromEntries(Object.entries(entries).map(([key, value]) => [`${key}@v.test`, value]))

const ids = (special: Record<string, string>): string =>
  table({
    ...atDomain(Object.fromEntries(Object.keys(MAILBOXES).map((key) => [key, String(OWNER)]))),
    '@cat.test': String(OWNER),
    ...special,
  })

const MAIN = {
  virtual_mailbox_domains: 'v.test, cat.test, lax.test',
  virtual_mailbox_base: '$queue_directory/../vhosts',
  virtual_mailbox_maps: table({
    ...atDomain(MAILBOXES),
    '@cat.test': 'catchall',
    'foreign@lax.test': 'foreign',
  }),
  virtual_uid_maps: ids({
    'baduid@v.test': 'abc',
    'lowuid@v.test': '99',
    'nouid@v.test': '',
    'foreign@lax.test': '5000',
  }).replace(/\{nouid@v.test = \}, /, ''),
  virtual_gid_maps: ids({ 'badgid@v.test': '0', 'foreign@lax.test': '5000' })
    .replace('{nogid@v.test = 5000}, ', '')
    .replace(', {nogid@v.test = 5000}', ''),
  transport_maps: 'inline:{ {lax.test = lax:}, {flocked@v.test = flock:} }',
  recipient_delimiter: '+',
  message_size_limit: '40000',
  virtual_mailbox_limit: '60000',
  deliver_lock_attempts: '2',
  deliver_lock_delay: '1s',
  stale_lock_time: '3s',
  smtputf8_enable: 'no',
}

const MASTER = [
  'lax unix - n n - - virtual -o strict_mailbox_ownership=no',
  'flock unix - n n - - virtual -o virtual_mailbox_lock=flock',
]

async function prepare(base: string): Promise<void> {
  const own = async (path: string): Promise<void> => chown(path, OWNER, OWNER)
  await mkdir(base)
  await own(base)
  await mkdir(join(base, 'closed'))
  for (const name of ['isdir']) {
    await mkdir(join(base, name))
    await own(join(base, name))
  }
  for (const name of [
    'linked',
    'foreign',
    'target',
    'full',
    'locked',
    'stale',
    'flocked',
    'fcntled',
  ]) {
    await writeFile(join(base, name), name === 'full' ? 'x'.repeat(59_900) : '', { mode: 0o600 })
    if (name !== 'foreign') await own(join(base, name))
    else await chmod(join(base, name), 0o666)
  }
  await link(join(base, 'linked'), join(base, 'linked2'))
  await symlink(join(base, 'target'), join(base, 'symlink'))
}

async function script(instance: Instance): Promise<Record<string, unknown>> {
  const watch = new QueueWatch(instance)
  const base = join(instance.directory, 'vhosts')
  await prepare(base)
  const report: Record<string, unknown> = {}
  const before = await mailboxTree(base)
  /** Messages that do not meet each other in one mailbox. */
  const deliver = async (what: string, messages: readonly Submission[]): Promise<void> => {
    const submit = async ({
      to,
      from = 's@s.test',
      content = PLAIN,
      args = [],
    }: Submission): Promise<void> => watch.submit(from, [to], { content, args })
    await Promise.all(messages.map(submit))
    await watch.logged(/postfix\/virtual\[\d+\]: .*status=/, messages.length)
    await watch.settle()
    const lines = await watch.taken(['virtual'])
    // Names in tmp/ are of no consequence; one process of ours serves many deliveries, and counts them.
    report[what] = lines.map((line) =>
      line.replace(/(QUEUEID|\d{10})\.P\d+(Q\d+)?\./, 'SECONDS.Ppid.'),
    )
    await watch.removeAll()
  }
  const texts = Object.values(TEXTS)
  await deliver('texts', [
    ...texts.map((content, at) => ({ to: `text${at}@v.test`, content })),
    ...texts.map((content, at) => ({ to: `dir${at}@v.test`, content })),
    { to: 'mbox@v.test' },
    { to: 'maildir@v.test' },
    { to: 'deep@v.test' },
  ])
  await deliver('once more', [
    ...texts.map((content, at) => ({ to: `text${texts.length - at - 1}@v.test`, content })),
    { to: 'mbox@v.test', from: '', content: `From: x@y.test\n${PLAIN}` },
    { to: 'maildir@v.test', from: '', content: `From: x@y.test\n${PLAIN}` },
  ])
  await deliver('addresses', [
    { to: 'MBox+Ext@V.test', from: '"a b"@s.test' },
    { to: 'maildir+ext@v.test' },
    { to: 'any+Thing@cat.test' },
    { to: 'nobody@v.test' },
  ])
  const refused = [
    'nodir',
    'closed',
    'closeddir',
    'isdir',
    'linked',
    'symlink',
    'foreign',
    'baduid',
    'lowuid',
    'nouid',
    'badgid',
    'nogid',
    'full',
  ]
  await deliver(
    'refused',
    refused.map((name) => ({ to: `${name}@v.test` })),
  )
  await deliver('not strict', [{ to: 'foreign@lax.test' }])
  await deliver(
    'probes',
    ['mbox', 'maildir', 'nobody', 'nouid'].map((name) => ({ to: `${name}@v.test`, args: ['-bv'] })),
  )
  await writeFile(join(base, 'locked.lock'), '')
  await writeFile(join(base, 'stale.lock'), '')
  const locks = [
    ['flocked', tryLock],
    ['fcntled', tryFcntlLock],
  ] as const
  const held = locks.map(([name, lock]) => {
    const fd = openSync(join(base, name), 'r+')
    lock(fd, 'exclusive')
    return fd
  })
  await deliver(
    'locked',
    ['locked', 'flocked', 'fcntled'].map((name) => ({ to: `${name}@v.test` })),
  )
  for (const fd of held) closeSync(fd)
  // Nobody can set the time by which a lock is stale: that of its inode.
  const isStale = async (): Promise<boolean> =>
    Date.now() - (await stat(join(base, 'stale.lock'))).ctimeMs > STALE_MS
  await waitFor(isStale, 'a stale lock', 2 * STALE_MS)
  await deliver(
    'not locked any more',
    ['stale', 'flocked', 'fcntled'].map((name) => ({ to: `${name}@v.test` })),
  )
  report['mailboxes'] = (await mailboxTree(base)).filter((line) => !before.includes(line))
  return report
}

t.setTimeout(120_000)
t.test('virtual mailboxes', { timeout: 120_000 }, async (t) => {
  const { postfix, posthorn } = await onBoth(t, { main: MAIN, master: MASTER }, script)
  for (const [what, seen] of Object.entries(postfix)) t.same(posthorn[what], seen, what)
})
