import { chmodSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { deliver } from './test/local-fixture.ts'

const aliases = {
  alias_maps: `inline:{
    {one=bob}, {two=bob, joe@x.test}, {both=one, two, BOB}, {bob=bob, copy@x.test}, {lost=nobody-here}, {list+x=far@x.test},
    {list=bob, far@x.test}, {owner-list=boss}, {loop1=loop2}, {loop2=loop1}, {cmd=bob, |cat}, {null=/dev/null}, {none=<>},
    {wrong=x@bad.test}, {mine=\\\\bob} }`,
}

t.test('Expansion: expands aliases', async (t) => {
  const cases: [
    address: string,
    lines: readonly (string | RegExp)[],
    forwarded?: readonly string[],
  ][] = [
    [
      'one',
      [
        /to=<bob@host.test>, orig_to=<one@host.test>, .*\(delivered to mailbox\)/,
        /forwarded as F1/,
      ],
      ['s@x.test to copy@x.test (one@host.test) for one@host.test'],
    ],
    [
      'list+x',
      [/^A1: to=<list\+x@host.test>, relay=local, .*status=sent \(forwarded as F1\)/],
      ['s@x.test to far@x.test (list+x@host.test) for list+x@host.test'],
    ],
    [
      'bob',
      [/to=<bob@host.test>, relay.*delivered to mailbox/, /to=<bob@host.test>.*forwarded as F1/],
      ['s@x.test to copy@x.test (bob@host.test) for bob@host.test'],
    ],
    [
      'list',
      [/to=<list@host.test>, .*forwarded as F1/],
      [
        'owner-list@host.test to bob@host.test (bob@host.test), copy@x.test (copy@x.test), far@x.test (far@x.test) for list@host.test',
      ],
    ],
    ['lost', [/to=<nobody-here@host.test>, orig_to=<lost@host.test>, .*dsn=5.1.1, status=bounced/]],
    ['null', [/status=sent \(delivered to file: \/dev\/null\)/]],
    [
      'wrong',
      [
        /to=<wrong@host.test>, .*dsn=5.1.3, status=bounced \(bad recipient address syntax: x@bad.test\)/,
      ],
    ],
    ['mine', [/to=<bob@host.test>, orig_to=<mine@host.test>, .*delivered to mailbox/]],
    [
      'none',
      [
        'warning: no recipient in alias lookup result for none',
        /dsn=4.3.0, status=deferred \(alias database unavailable\)/,
      ],
    ],
    [
      'loop1',
      [
        'warning: alias database loop for loop2',
        /dsn=5.4.6, status=bounced \(alias database loop for loop2\)/,
      ],
    ],
  ]
  for (const [name, lines, forwarded = []] of cases) {
    const seen = await deliver(t, `${name}@host.test`, { settings: { ...aliases } })
    t.equal(seen.lines.length, lines.length, `${name}: ${seen.lines.join('; ')}`)
    lines.forEach((line, at) => t.match(seen.lines[at], line, name))
    t.same(seen.forwarded, forwarded, name)
    const isDone = !seen.lines.some((line) => line.includes('deferred'))
    t.equal(readFileSync(`${seen.directory}/active/A1`, 'latin1')[0], isDone ? 'D' : 'R', name)
  }
})

t.test('Expansion: delivers once to whom aliases name twice', async (t) => {
  const { directory, forwarded } = await deliver(t, 'both@host.test', { settings: aliases })
  const text = readFileSync(`${directory}/mail/bob`, 'latin1')
  t.equal(text.match(/^From /gm)?.length, 1)
  t.same(forwarded, [
    's@x.test to copy@x.test (both@host.test), joe@x.test (both@host.test) for both@host.test',
  ])
})

t.test('Expansion: delivers nothing of an alias of which something must wait', async (t) => {
  const { directory, lines } = await deliver(t, 'cmd@host.test', { settings: aliases })
  t.match(lines, [
    /to=<cmd@host.test>, .*dsn=4.3.5, status=deferred \(delivery to the command cat is/,
  ])
  t.same(readdirSync(`${directory}/mail`), [])
  for (const address of ['bob@host.test', 'nobody-here@host.test', 'postmaster@host.test']) {
    const { lines } = await deliver(t, address, { settings: { alias_maps: 'fail:x' } })
    t.match(lines.at(-1), 'dsn=4.3.0, status=deferred (alias database unavailable)')
  }
})

t.test('Expansion: tries again when the new message could not be sent', async (t) => {
  const seen = await deliver(t, 'list@host.test', { settings: aliases, refusesForwards: true })
  t.match(seen.lines[0], 'dsn=4.3.0, status=deferred (unable to forward message)')
  t.equal(readFileSync(`${seen.directory}/active/A1`, 'latin1')[0], 'R', 'not marked')
})

t.test('Expansion: follows .forward files', async (t) => {
  const away = await deliver(t, 'bob@host.test', { homeFile: ['.forward', 'me@x.test\n'] })
  t.match(away.lines, [/to=<bob@host.test>, relay=local, .*forwarded as F1/])
  t.same(away.forwarded, ['s@x.test to me@x.test (bob@host.test) for bob@host.test'])
  const both = await deliver(t, 'bob@host.test', {
    homeFile: ['.forward', '# x\n\\bob, joe@host.test\n'],
  })
  t.match(both.lines, [/delivered to mailbox/, /forwarded as F1/])
  t.same(both.forwarded, ['s@x.test to joe@host.test (bob@host.test) for bob@host.test'])
  const extended = await deliver(t, 'bob+Ext/../x@host.test', { homeFile: ['.forward+ext', 'a'] })
  t.match(extended.lines[0], 'delivered to mailbox', 'an extension is no path')
  const own = await deliver(t, 'bob+Ext@host.test', { homeFile: ['.forward+ext', 'a'] })
  t.match(own.lines[0], 'forwarded as F1')
  const other = await deliver(t, 'bob+two@host.test', { homeFile: ['.forward+ext', 'a'] })
  t.match(other.lines[0], 'delivered to mailbox')
  const empty = await deliver(t, 'bob@host.test', { homeFile: ['.forward', '# nobody\n'] })
  t.match(empty.lines[0], 'delivered to mailbox')
  const writable = await deliver(t, 'bob@host.test', { homeFile: ['.forward', 'a', 0o666] })
  t.match(writable.lines, [
    /^warning: file \S+\.forward is world writable$/,
    /delivered to mailbox/,
  ])
  const command = await deliver(t, 'bob@host.test', { homeFile: ['.forward', '"|vacation bob"'] })
  t.match(command.lines, [/dsn=4.3.5, status=deferred \(delivery to the command vacation bob is/])
})

t.test('Expansion: reads :include: files', async (t) => {
  const directory = temporaryDirectory(t)
  writeFileSync(`${directory}/list`, '# people\nbob, joe@x.test\n')
  writeFileSync(`${directory}/empty`, '# nobody\n')
  writeFileSync(`${directory}/writable`, 'bob\n')
  chmodSync(`${directory}/writable`, 0o666)
  const to = async (path: string): Promise<{ lines: string[]; forwarded: string[] }> =>
    deliver(t, 'all@host.test', { settings: { alias_maps: `inline:{all=:include:${path}}` } })
  const empty = await to(`${directory}/empty`)
  t.match(empty.lines, [/to=<all@host.test>.*status=sent \(discarded, the alias names nobody\)/])
  const list = await to(`${directory}/list`)
  t.match(list.lines, [/to=<all@host.test>.*forwarded as F1/])
  t.same(list.forwarded, [
    's@x.test to bob@host.test (all@host.test), joe@x.test (all@host.test) for all@host.test',
  ])
  t.match((await to('list')).lines, [
    'warning: :include:list uses a relative path',
    'dsn=5.3.5, status=bounced',
  ])
  t.match((await to(`${directory}/none`)).lines, [
    /unable to lookup :include: file \S+: No such file/,
    'dsn=5.3.5',
  ])
  t.match((await to(`${directory}/writable`)).lines, [
    /:include: file \S+ is world writable/,
    'dsn=5.3.5',
  ])
})

t.test('Expansion: files', async (t) => {
  const directory = temporaryDirectory(t)
  writeFileSync(`${directory}/list`, `${directory}/never\n`)
  const settings = {
    alias_maps: `inline:{ {box=${directory}/box}, {dir=${directory}/dir/}, {none=${directory}/no/box}, {inc=:include:${directory}/list} }`,
  }
  const box = await deliver(t, 'box@host.test', { settings })
  t.match(box.lines, [
    /to=<box@host.test>, relay=local, .*status=sent \(delivered to file: \S+\/box\)/,
  ])
  t.match(
    readFileSync(`${directory}/box`, 'latin1'),
    /^From s@x.test .*\n.*\nX-Original-To: box@host.test\n/,
  )
  const dir = await deliver(t, 'dir@host.test', { settings })
  t.match(dir.lines, [/status=sent \(delivered to maildir\)/])
  t.equal(readdirSync(`${directory}/dir/new`).length, 1)
  const none = await deliver(t, 'none@host.test', { settings })
  t.match(none.lines, [
    /unable to create lock file/,
    /dsn=5.2.0, status=bounced \(cannot append message to file \S+\/no\/box: /,
  ])
  const included = await deliver(t, 'inc@host.test', { settings })
  t.match(included.lines, [/dsn=5.7.1, status=bounced \(mail to file is restricted\)/])
  const forward = await deliver(t, 'bob@host.test', {
    homeFile: ['.forward', `${directory}/own\n`],
  })
  t.match(forward.lines, [/to=<bob@host.test>.*delivered to file/])
})
