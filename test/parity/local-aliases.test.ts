/**
 * local-aliases - both systems expand aliases and .forward files to the same deliveries
 *
 * Users are those that every Debian has; mail that is forwarded ends in maildirs of virtual(8), where it can be read.
 * Needs root and Postfix 3.7.
 */
import { appendFile, chmod, chown, link, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { execa } from 'execa'
import t from 'tap'
import type { Instance } from '../../scripts/instance.ts'
import { onBoth } from './both-systems.ts'
import { mailboxTree } from './mailbox-tree.ts'
import { QueueWatch } from './queue-watch.ts'

const MAIN = {
  mydestination: '$myhostname, frozen.test, reset.test, expand.test, broken.test, plain.test',
  transport_maps:
    'inline:{ {frozen.test = frozen:}, {reset.test = reset:}, {expand.test = expand:}, {broken.test = broken:}, {plain.test = plain:} }',
  mail_spool_directory: '$queue_directory/../spools',
  alias_maps: 'hash:$queue_directory/../aliases',
  recipient_delimiter: '+',
  virtual_mailbox_domains: 'v.test',
  virtual_mailbox_base: '$queue_directory/../vhosts',
  virtual_mailbox_maps: 'inline:{ {x@v.test = x/}, {y@v.test = y/} }',
  virtual_uid_maps: 'static:5000',
  virtual_gid_maps: 'static:5000',
  default_transport: 'discard',
  biff: 'no',
  mailbox_size_limit: '60000',
  message_size_limit: '40000',
}

const MASTER = [
  'frozen unix - n n - - local -o frozen_delivered_to=no',
  'reset unix - n n - - local -o reset_owner_alias=yes',
  'expand unix - n n - - local -o expand_owner_alias=yes',
  'broken unix - n n - - local -o alias_maps=fail:this',
  'plain unix - n n - - local -o prepend_delivered_header=command,file',
]

/** DIR stands for the instance's directory. */
const ALIASES = `
postmaster root
one daemon
two daemon, bin
deep two
deeper "deep"
remote x@v.test
mixed daemon, x@v.test, y@v.test
man man, x@v.test
loop1 loop2
loop2 loop1
listname daemon, x@v.test
owner-listname bin
sublist listname2
listname2 x@v.test
owner-sublist bin
dup daemon, DAEMON, daemon@mx.example.test, x@v.test, x@v.test
nobodyhere nosuchuser
partly nosuchuser, daemon
inc :include:DIR/include
increl :include:include
incmissing :include:DIR/missing
incbad :include:DIR/writable
empty ""
bad <>
weird (comment) daemon (comment), Some Body <bin@mx.example.test>
escaped \\\\man
dotted "x"@v.test
slash user/name@v.test
incalias :include:DIR/includealias
box DIR/files/box
box2 DIR/files/box, DIR/files/other, bin
maildir DIR/files/maildir/
nodir DIR/files/nodir/box
closed DIR/closed/box
runnable DIR/files/runnable
isdir DIR/files/isdir
linked DIR/files/linked
full DIR/files/full
null /dev/null
incfile :include:DIR/includefile
single \\man, y@v.test
`

const INCLUDE = `# people
daemon
bin, x@v.test   (both)

"y"@v.test
`

const FORWARDS: Record<string, string> = {
  lp: 'x@v.test\n',
  news: '\\\\news, x@v.test\n',
  uucp: '# nobody\n\n',
  proxy: 'proxy\n',
  'www-data': 'nosuchuser\n',
  backup: ':include:DIR/include\n',
  list: 'x@v.test\ny@v.test\n',
  mail: 'x@v.test\n',
  irc: 'x@v.test\n',
  sync: 'two, listname2\n',
  sys: '\\sys, daemon\n',
  nobody: 'DIR/files/mine\n',
  games: 'uucp\n',
}

async function prepare(instance: Instance): Promise<void> {
  const { directory } = instance
  const put = async (name: string, text: string): Promise<void> =>
    writeFile(join(directory, name), text.replaceAll('DIR', directory))
  for (const name of ['spools', 'vhosts', 'forwards', 'files']) {
    await mkdir(join(directory, name))
    await chmod(join(directory, name), 0o1777)
  }
  await put('aliases', ALIASES.replace(/^(\S+) /gm, '$1: '))
  await execa(
    '/usr/sbin/postalias',
    ['-c', instance.configDirectory, `hash:${directory}/aliases`],
    { reject: false },
  )
  await put('include', INCLUDE)
  await put('includealias', 'two\nlistname2\n\\\\man\n')
  await put('includefile', 'DIR/files/never\n')
  for (const name of ['runnable', 'linked', 'full']) {
    await put(`files/${name}`, name === 'full' ? 'x'.repeat(59_900) : '')
    await chmod(join(directory, 'files', name), name === 'runnable' ? 0o777 : 0o666)
  }
  await symlink(join(directory, 'files/full'), join(directory, 'files/link'))
  await link(join(directory, 'files/linked'), join(directory, 'files/linked2'))
  await mkdir(join(directory, 'files/isdir'))
  await mkdir(join(directory, 'closed'))
  await put('writable', INCLUDE)
  await chmod(join(directory, 'writable'), 0o666)
  const ids: Record<string, number> = {
    lp: 7,
    news: 9,
    uucp: 10,
    proxy: 13,
    'www-data': 33,
    backup: 34,
    list: 38,
    sync: 4,
    nobody: 65534,
    sys: 3,
    games: 5,
    irc: 39,
  }
  for (const [name, text] of Object.entries(FORWARDS)) {
    await put(`forwards/${name}`, text)
    const id = ids[name]
    if (id !== undefined) await chown(join(directory, 'forwards', name), id, id)
  }
  // not root's nor the user's; and one that everybody may write
  await chown(join(directory, 'forwards/mail'), 5000, 5000)
  await chmod(join(directory, 'forwards/irc'), 0o666)
  await appendFile(
    join(instance.configDirectory, 'main.cf'),
    `forward_path = ${directory}/forwards/$user\n`,
  )
  await instance.run('postfix', ['reload'])
}

async function script(instance: Instance): Promise<Record<string, unknown>> {
  const watch = new QueueWatch(instance)
  await prepare(instance)
  const report: Record<string, unknown> = {}
  const deliver = async (
    to: string,
    {
      args = [] as readonly string[],
      from = 's@s.test',
      extra = [] as readonly string[],
      content = 'From: x@y.test\nTo: y@y.test\nSubject: z\n\nhello\n',
    } = {},
  ): Promise<void> => {
    await watch.submit(from, [to, ...extra], { args, content })
    await watch.logged(/postfix\/local\[\d+\]: .*status=/)
    await watch.settle()
    report[[to, ...extra, ...args, from === 's@s.test' ? '' : `from ${from}`].join(' ').trim()] =
      await watch.taken(['local', 'virtual'])
    await watch.removeAll()
  }
  const names = ALIASES.trim()
    .split('\n')
    .map((line) => line.split(' ')[0] ?? '')
  for (const name of names) await deliver(`${name}@mx.example.test`)
  await deliver('Two+Ext@mx.example.test')
  await deliver('remote@mx.example.test', {
    extra: ['one@mx.example.test', 'escaped@mx.example.test', 'postmaster@mx.example.test'],
  })
  for (const domain of ['frozen', 'reset', 'expand', 'plain', 'broken'])
    await deliver(`listname@${domain}.test`)
  await deliver('sublist@reset.test')
  await deliver('two@frozen.test')
  await deliver('remote@plain.test')
  await deliver('remote@mx.example.test', { from: '' })
  await deliver('remote@mx.example.test', {
    content: 'Delivered-To: remote@mx.example.test\nSubject: x\n\nx\n',
  })
  for (const name of Object.keys(FORWARDS)) await deliver(`${name}@mx.example.test`)
  for (const name of [
    'one',
    'mixed',
    'inc',
    'lp',
    'nobodyhere',
    'empty',
    'listname',
    'man',
    'box',
    'maildir',
  ])
    await deliver(`${name}@mx.example.test`, { args: ['-bv'] })
  for (const name of ['spools', 'vhosts', 'files'])
    report[name] = await mailboxTree(join(instance.directory, name))
  // Reports of success come to y. Each system has its own words for them; who is named in what role is the same.
  for (const name of ['one', 'two', 'remote', 'listname', 'lp', 'news', 'postmaster']) {
    await deliver(`${name}@mx.example.test`, { args: ['-N', 'success'], from: 'y@v.test' })
  }
  const reports = (await mailboxTree(join(instance.directory, 'vhosts/y'))).flatMap((text) =>
    text
      .split('\n')
      .filter((line) => /^(Final-Recipient|Original-Recipient|Action|Diagnostic-Code)/.test(line)),
  )
  report['reports of success'] = reports
  return report
}

t.setTimeout(170_000)

t.test('aliases', { timeout: 170_000 }, async (t) => {
  const { postfix, posthorn } = await onBoth(t, { main: MAIN, master: MASTER }, script)
  for (const [what, seen] of Object.entries(postfix)) t.same(posthorn[what], seen, what)
})
