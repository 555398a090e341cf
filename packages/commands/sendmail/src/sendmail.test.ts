/**
 * sendmail.test - sendmail(1) and postdrop(1) as a user runs them
 *
 * The programs run from their sources, with a queue directory and a main.cf of their own (MAIL_CONFIG).
 */
import { spawnSync } from 'node:child_process'
import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { parseRecord } from '@posthorn/queue/record'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'

const program = join(import.meta.dirname, 'main.ts')
const postdrop = join(import.meta.dirname, '../../postdrop/src/main.ts')

const site = temporaryDirectory(t)
mkdirSync(join(site, 'maildrop'))
writeFileSync(
  join(site, 'main.cf'),
  `queue_directory = ${site}\ncommand_directory = ${site}/bin\nmyhostname = mx.example.test\n` +
    `message_size_limit = 20000\n`,
)
mkdirSync(join(site, 'bin'))

/** A command of the mail system that the program under test starts. */
function installCommand(name: string, source: string): void {
  const path = join(site, 'bin', name)
  writeFileSync(path, `#!${process.execPath}\n${source}\n`)
  chmodSync(path, 0o755)
}

installCommand('postdrop', `import(${JSON.stringify(postdrop)})`)
installCommand(
  'postqueue',
  "console.log('postqueue', ...process.argv.slice(2)); process.exitCode = 7",
)

interface Run {
  readonly status: number | null
  readonly stdout: string
  readonly stderr: string
  /** Of the file in maildrop, without the time record. */
  readonly records: readonly string[]
}

function sendmail(argv: readonly string[], input: string): Run {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...argv], {
    input: Buffer.from(input, 'latin1'),
    env: { MAIL_CONFIG: site, NAME: 'Full Name', PATH: '/usr/bin:/bin' },
    encoding: 'latin1',
    timeout: 20_000,
  })
  return { status, stdout, stderr, records: takeSubmission() }
}

function takeSubmission(): string[] {
  const [name] = readdirSync(join(site, 'maildrop'))
  if (name === undefined) return []
  const path = join(site, 'maildrop', name)
  t.equal(statSync(path).mode & 0o777, 0o744)
  const octets = readFileSync(path, 'latin1')
  rmSync(path)
  const records: string[] = []
  for (let at = 0; at < octets.length;) {
    const record = parseRecord(octets, at)
    if (record === undefined) throw new Error('Cannot read maildrop file')
    if (record.type !== 'T') records.push(`${record.type} ${record.payload}`)
    at = record.end
  }
  return records
}

t.test('sendmail puts a message into the maildrop directory', (t) => {
  const { status, records } = sendmail(
    ['-f', 'me@x.y', '-N', 'failure', '-t', 'extra'],
    'From someone\nTo: a, "b c"@d\nSubject: x\n\nbody\n.\nlost\n',
  )
  t.equal(status, 0)
  t.strictSame(records, [
    ...['A rewrite_context=local', 'F Full Name', 'S me@x.y', 'A notify_flags=4', 'R extra', 'M '],
    ...['N To: a, "b c"@d', 'N Subject: x', 'N ', 'N body', 'X '],
    ...['A notify_flags=4', 'R a', 'A notify_flags=4', 'R b c@d', 'E '],
  ])
  t.end()
})

t.test('sendmail -bv sends a probe', (t) => {
  const { status, stdout, records } = sendmail(['-bv', '-f', 'me', 'r1', 'r2@x'], '')
  t.equal(status, 0)
  t.equal(stdout, 'Mail Delivery Status Report will be mailed to <me>.\n')
  t.strictSame(records, [
    ...['A rewrite_context=local', 'F Full Name', 'S me', 'A trace_flags=512', 'R r1', 'R r2@x'],
    ...['M ', 'N From: me', 'N Subject: probe', 'L To:', 'N \tr1,', 'N \tr2@x', 'X ', 'E '],
  ])
  t.end()
})

t.test('sendmail ends with 75 when the message was not taken', (t) => {
  const nobody = sendmail(['-t'], 'Subject: x\n\nbody\n')
  t.match(nobody, { status: 75, records: [] })
  t.match(nobody.stderr, /sendmail: fatal: .*No recipient addresses found in message header/)
  t.match(sendmail([], 'x\n').stderr, /Recipient addresses must be specified on the command line/)
  const big = sendmail(['r'], `${'x'.repeat(70)}\n`.repeat(400))
  t.match(big, { status: 75, records: [] })
  t.match(big.stderr, /message file too big/)
  t.match(sendmail(['-bx'], ''), { status: 75, stderr: /unsupported: -bx/ })
  t.end()
})

t.test('sendmail becomes other commands', (t) => {
  t.match(sendmail(['-bp'], ''), { status: 7, stdout: 'postqueue -p\n' })
  t.match(sendmail(['-qRexample.com'], ''), { status: 7, stdout: 'postqueue -s example.com\n' })
  t.match(sendmail(['-I', '-oA/x'], ''), { status: 75, stderr: /postalias: No such file/ })
  t.end()
})

t.test('sendmail and postdrop --help', (t) => {
  const help = sendmail(['--help'], '')
  t.match(help, { status: 0, stderr: '', records: [] })
  t.match(help.stdout, /^Usage: sendmail .*\n[^]*^ {2}-t {16}take[^]*^ {2}--help/m)
  const { status, stdout } = spawnSync(process.execPath, [postdrop, '--help'], {
    env: { MAIL_CONFIG: site },
    encoding: 'latin1',
  })
  t.equal(status, 0)
  t.match(stdout, /^Usage: postdrop .*\n[^]*^ {2}--help/m)
  t.end()
})

t.test('sendmail -O requiretls=yes', (t) => {
  const { status, records } = sendmail(['-O', 'requiretls=yes', '-f', 'me@x.y', 'a@b'], 'x\n')
  t.equal(status, 0)
  t.match(records[0], /^C( +-1){5} +32$/)
  t.equal(records[1], 'A rewrite_context=local')
  const main = readFileSync(join(site, 'main.cf'), 'latin1')
  writeFileSync(join(site, 'main.cf'), `${main}requiretls_enable = no\n`)
  t.teardown(() => {
    writeFileSync(join(site, 'main.cf'), main)
  })
  const refused = sendmail(['-O', 'requiretls=yes', '-f', 'me@x.y', 'a@b'], 'x\n')
  t.not(refused.status, 0)
  t.match(refused.stderr, /-O requiretls=yes cannot be had: requiretls_enable = no/)
  t.same(refused.records, [], 'not without what was asked for')
  t.end()
})
