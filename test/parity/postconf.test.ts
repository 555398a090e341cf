/**
 * postconf - both systems show the same of the same configuration
 *
 * The stock files of Debian, a site with everything that main.cf and master.cf may have in it, the compatibility levels,
 * and command lines that make no sense. Compared are standard output, the diagnostics (in any order, once each:
 * Postfix lists some in the order of its hash table, and some twice) and the status. Needs Postfix 3.7.
 */
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { postconf } from '@posthorn/postconf/postconf'
import { execa } from 'execa'
import t, { type Test } from 'tap'
import { ROOT, type System } from '../../scripts/instance.ts'
import { SYSTEMS } from './both-systems.ts'
import { CROOKED_SITE, siteAtLevel, type ConfigurationFiles } from './postconf-sites.ts'

const PROGRAMS: Record<System, readonly [commands: string, daemons: string]> = {
  postfix: ['/usr/sbin', '/usr/lib/postfix/sbin'],
  posthorn: [join(ROOT, 'build/sbin'), join(ROOT, 'build/libexec')],
}

interface Shown {
  readonly status: number
  readonly output: string
  readonly diagnostics: readonly string[]
}

const PARAMETERS_OF_OURS =
  /^(?:dns_nameservers|service_worker_(?:limit|use_factor)|(?:smtp|lmtp)_chunking_enable|mta_sts_\w+|tlsrpt_\w+)\b/
/** What a build decides: who it is, and where its files are; and defaults of ours (docs/differences.md). */
const OF_THE_BUILD =
  /^(?:alias_maps|command_directory|daemon_directory|html_directory|mail_name|mail_release_date|mail_version|manpage_directory|process_id|readme_directory|shlib_directory|(?:smtp|lmtp)_tls_connection_reuse)\b/

/** A line where the two may differ becomes the name alone; the default of alias_maps shows in others. */
function comparableLine(line: string): string {
  const name = OF_THE_BUILD.exec(line)?.[0]
  if (name !== undefined) return name
  return line
    .replace(/\b(?:Postfix|Posthorn) (?:3\.7\.11|0\.1\.0)/, 'MTA')
    .replace(/\bESMTP (?:Postfix|Posthorn)\b/, 'ESMTP MTA')
    .replaceAll(', nis:mail.aliases', '')
    .replaceAll(/\/usr\/(?:libexec\/postfix|lib\/postfix\/sbin)\b/g, 'DAEMONS')
}

function comparable(status: number, stdout: string, stderr: string): Shown {
  const lines = stdout.split('\n').filter((line) => !PARAMETERS_OF_OURS.test(line))
  const diagnostics = new Set(stderr.split('\n').map((line) => line.replace(/^\S*postconf: /, '')))
  const sorted = [...diagnostics].filter((line) => line !== '').sort()
  return { status, output: lines.map(comparableLine).join('\n'), diagnostics: sorted }
}

/** postconf of Postfix, with a table type that only its package has, and without those that only ours has. */
async function ask(directory: string, args: readonly string[]): Promise<Record<System, Shown>> {
  const all = ['-c', directory, ...args]
  const real = execa('/usr/sbin/postconf', all, {
    reject: false,
    stripFinalNewline: false,
    encoding: 'latin1',
  })
  const ours = { stdout: '', stderr: '' }
  const status = await postconf(all, {
    print: (text) => (ours.stdout += text),
    complain: (text) => (ours.stderr += `postconf: ${text}\n`),
  })
  const { exitCode, stdout, stderr } = await real
  return {
    postfix: comparable(exitCode ?? -1, stdout, stderr),
    posthorn: comparable(status, ours.stdout, ours.stderr),
  }
}

async function expectSame(
  t: Test,
  sites: string | readonly string[],
  lines: readonly string[],
  nameOf = (site: string): string => site,
): Promise<void> {
  // at the same time: Postfix sleeps a second before it gives up
  const asked = [sites].flat().flatMap((site) =>
    lines.map(async (line) => {
      const { postfix, posthorn } = await ask(site, line === '' ? [] : line.split(' '))
      return () => t.same(posthorn, postfix, `postconf ${line}: ${nameOf(site)}`)
    }),
  )
  for (const check of await Promise.all(asked)) check()
}

function makeSite(t: Test, files: ConfigurationFiles): string {
  // -f folds long lines: the path must be as short as that of the reference
  const directory = mkdtempSync('/tmp/pc-')
  t.teardown(() => {
    rmSync(directory, { recursive: true })
  })
  for (const [name, text] of Object.entries(files) as [string, string][]) {
    const path = join(directory, `${name}.cf`)
    writeFileSync(path, text, 'latin1')
    // Postfix reads a file again while it is fresh, and repeats its warnings
    utimesSync(path, 1e9, 1e9)
  }
  return directory
}

/** What tells one small site from another. */
function ownLines(site: string): string {
  const [main = '', master = ''] = ['main', 'master'].map((name) =>
    readFileSync(join(site, `${name}.cf`), 'latin1'),
  )
  return main.trim() === '' ? master.trim() : main.split('\n', 1).join('')
}

const READING_MAIN = ['', '-x', '-f', '-H', '-d', '-dx', '-df', '-n', '-nx', '-nf', '-nh', '-nH']
const READING_MASTER = [
  '-M',
  '-Mf',
  '-Mx',
  '-Mfx',
  '-F',
  '-Ff',
  '-Fx',
  '-FH',
  '-P',
  '-Pf',
  '-Px',
  '-Ph',
  '-PH',
]
const CLASSES = ['builtin', 'service', 'user', 'all', 'user,SERVICE']

t.test('the stock files are shown alike', async (t) => {
  const directory = makeSite(t, {
    main: readFileSync('/etc/postfix/main.cf', 'latin1'),
    master: readFileSync('/etc/postfix/master.cf', 'latin1'),
  })
  const classes = CLASSES.flatMap((name) => [`-C ${name}`, `-C ${name} -d`, `-n -C ${name}`])
  await expectSame(t, directory, [...READING_MAIN, ...READING_MASTER, ...classes, '-l'])
})

t.test('a site with everything in it is shown alike', async (t) => {
  const directory = makeSite(t, CROOKED_SITE)
  await expectSame(t, directory, [
    ...READING_MAIN,
    ...READING_MASTER,
    ...CLASSES.flatMap((name) => [`-C ${name}`, `-C ${name} -x`, `-C ${name} -d`]),
    '-o unused=1 -o myorigin=x -nx',
    '-o {a=b} unused',
    '-o mine=9 -Px',
    '-h twice',
    '-H twice nosuch',
    '-xh smtpd_banner smtpd_helo_restrictions',
    '-n twice relayhost mail_owner nosuch then config_directory',
    '-d twice then slow_destination_rate_delay',
    'slow_time_limit piped_time_limit gone_destination_rate_delay sql1_hosts virtual_maps',
    'process_name service_name',
    '-M nosuch/inet',
    '-M */unix',
    '-M smtp/* smtp smtp/unix',
    '-M smtp/',
    '-F smtp/inet/command',
    '-F */*/wakeup',
    '-F smtp/inet/type smtp/unix/type smtp/*/private',
    '-HF */inet',
    '-P */inet/mine smtp/inet',
    '-P */*/mine2 nosuch/inet/x smtp//x',
    '-Pxh slow/unix',
  ])
})

t.test('defaults follow compatibility_level alike', async (t) => {
  for (const level of ['0', '1', '2', '3.6', '3.7', '9.1.2']) {
    await expectSame(t, makeSite(t, siteAtLevel(level)), ['', '-x', '-nx'])
  }
  const malformed = ['x', '3.', '-1', '1.1024', '']
  const sites = malformed.map((level) => makeSite(t, siteAtLevel(level)))
  await expectSame(t, sites, ['-n', '-nx', '-x append_dot_mydomain', '-m'], ownLines)
})

const VALUES = [
  ...['${', '$', '${}', '$()', '$(a', '$x $', '$$$', '${a b}', '${x.y}', '${{a}b{c}}', '${{a}==b}'],
  ...[
    '${{a}=={b}c}',
    '${x?{b}c}',
    '${x?{b}:{c}d}',
    '${{a}',
    '${x:{b}:{c}}',
    '${mydomain?{${}}:{x}}',
  ],
  ...['$myorigin', '${{a}==level{b}}', '${{1}<lev{2}}', '${x?}', '${x:}', '${ x }', '$mydomain:$x'],
  ...['${{1}!={2}?yes}', '${{1}=={2}:no}', '${{1}=={2}?{yes}:no }', '${{1}>{2}}', '${x', 'a}', '{'],
  ...[
    '$$',
    '${mydomain?a:b}',
    '{a b}',
    'mysql:x',
    '{mysql:x y}z',
    'proxy:mysql:x',
    'ldap:/no/such',
  ],
  ...['pipemap:{mysql:x, inline:{a=b}}', 'pipemap:{mysql:x', '{{mysql:x}}', '/no/such', 'a = b'],
]

t.test('one value after the other, right or wrong, is shown alike', async (t) => {
  const sites = VALUES.map((value) =>
    makeSite(t, {
      main: `myorigin = ${value}\nfirst = $first\nuser = ${value}\nx_hosts = 1\n`,
      master: `a unix - - - - - smtp -o b=${value}\n`,
    }),
  )
  await expectSame(t, sites, ['-n', '-nx', '-x user', '-Px'], ownLines)
})

const BAD_MAIN = ['= x', 'two words = x', 'no assignment', 'ok = 1\n = cont\n=', '']
const BAD_MASTER = [
  'a unix - - - - -',
  'a foo - - - - - p',
  'a unix x - - - - p',
  'a unix - x - - - p',
  'a unix - - x - - p',
  'a unix - - - 5x - p',
  'a unix - - - - x p',
  'a unix - - - -? - p',
  '  a unix - - - - - p',
  'a unix - - - - - p {',
  'a unix - - - - - p {x}y',
  'a unix - - - - - p -o {x = 1',
  'a unix - - - - - p -o x',
  'a unix - - - - - p -o',
]

t.test('files that cannot be read are refused alike', async (t) => {
  const sites = [
    ...BAD_MAIN.map((line) => makeSite(t, { main: `${line}\n`, master: '' })),
    ...BAD_MASTER.map((line) => makeSite(t, { main: '', master: `${line}\n` })),
  ]
  await expectSame(t, sites, ['-n', '-M', '-P', '-d mail_owner'], ownLines)
  await expectSame(t, '/nonexistent', ['', '-n', '-d mail_owner', '-M', '-F', '-P', '-m', '-l'])
})

t.test('command lines that make no sense are refused alike', async (t) => {
  const directory = makeSite(t, siteAtLevel('3.7'))
  await expectSame(t, directory, [
    ...['-MP', '-dn', '-hH', '-o a=b -d', '-e -h a=b', '-M -h', '-m -n', '-C foo', '-C foo -C all'],
    ...['-X', '-T foo -x', '-bt', '-bp', '-lm', '-aA', '-p -M', '-fe a=b', '-xX a', '-d x=y'],
    ...['-M a/b/c', '-M /b', '-M a*', '-F a/b/c/d', '-F */*/foo', '-P /x', '-o =', '-o foo', '-Mn'],
    ...[
      '-P x=y',
      '-F x=y',
      '-M x=y',
      '-F -X a',
      '-F -# a',
      '-P -# a',
      '-m -f',
      '-l -x',
      '-m -o a=b',
    ],
    ...[
      '-M -C all',
      '-C builtin -C user',
      '-C ,',
      '-x -',
      '-- -x',
      '-n x=y',
      '-Fd',
      '-# a b=c',
      '-#',
    ],
  ])
})

const TEMPLATES = `failure_template = <<EOF
Charset: us-ascii
From: Mail <MAILER-DAEMON>
Subject: $mail_name says no

not at $myhostname after \${maximal_queue_lifetime_days} days
EOF
delay_template = <<EOF
Subject: later
From: Mail

\${delay_warning_time_minutes} minutes
EOF
success_template = <<EOF
Subject: done
From: Mail

done
EOF
verify_template = <<EOF
Subject: probe
From: Mail

probe \\$$literal
EOF
`

t.test('templates of notices are shown alike', async (t) => {
  const shown = await Promise.all(
    SYSTEMS.map(async (system) => {
      const directory = makeSite(t, { main: '', master: '' })
      const [commands, daemons] = PROGRAMS[system]
      const template = join(directory, 'templates')
      writeFileSync(template, TEMPLATES)
      const main = `daemon_directory = ${daemons}\nmail_name = M\nmyhostname = mx.example.com\n`
      writeFileSync(join(directory, 'main.cf'), `${main}delay_warning_time = 4h\n`)
      const ask = async (...args: string[]): Promise<{ status: number; text: string }> => {
        const done = await execa(join(commands, 'postconf'), ['-c', directory, ...args], {
          reject: false,
        })
        return { status: done.exitCode ?? -1, text: done.stdout.trimEnd() }
      }
      return [await ask('-b', template), await ask('-t', template), await ask('-b', '/nonexistent')]
    }),
  )
  t.same(shown[1], shown[0])
})
