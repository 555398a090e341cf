/**
 * postconf-values - a value that a daemon cannot use ends it, with the words and the status of Postfix's daemon
 *
 * Both daemons are started stand-alone (-S, with an empty standard input) with one -o. A daemon of ours looks only at
 * parameters that it uses: the samples are of those. Needs root and Postfix 3.7.
 */
import { chmod, chown, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findUser } from '@posthorn/native/user'
import { execa } from 'execa'
import t from 'tap'
import { ROOT, type System } from '../../scripts/instance.ts'

const DAEMONS: Record<System, string> = {
  postfix: '/usr/lib/postfix/sbin',
  posthorn: join(ROOT, 'build/libexec'),
}

const SAMPLES: readonly (readonly [program: string, settings: readonly string[]])[] = [
  [
    'smtpd',
    [
      ...['5x', '-5', '', '0', '99999999999', '5 m', '5M', 'm', '0h', '+0', '1.5h'].map(
        (v) => `smtpd_timeout=${v}`,
      ),
      ...['abc', '0', '-1', '99999999999', '', '1.5', '0x10', '7k', '+', '+0', '-007'].map(
        (value) => `smtpd_recipient_limit=${value}`,
      ),
      ...['1', '', 'true', 'yes no', 'y'].map((value) => `smtpd_helo_required=${value}`),
      ...['1k', '99999999999999999999', '-'].map((value) => `message_size_limit=${value}`),
      ...['100', '0'].map((value) => `line_length_limit=${value}`),
      ...['$', '${', '', '${x', '$myhostname ${a b}'].map((value) => `smtpd_banner=${value}`),
      'queue_minfree=x',
      'smtpd_junk_command_limit=-1',
      'smtpd_error_sleep_time=1y',
      'local_recipient_maps=$x${',
      'unknown_client_reject_code=xyz',
      'mail_name=',
      'ipc_timeout=0',
      'mynetworks_style=foo',
      'smtpd_client_connection_rate_limit=x',
      'default_verp_delimiters=a',
      'smtpd_forbid_unauth_pipelining=foo',
      'smtpd_banner=${{99999999999999999999} < {1} ? {a} : {b}}',
    ],
  ],
  [
    'smtp',
    [
      'smtp_helo_timeout=5x',
      'smtp_connection_cache_on_demand=x',
      'smtp_address_preference=foo',
      'smtp_address_preference=',
      'smtp_host_lookup=foo',
      'smtp_dns_support_level=foo',
      'smtp_dns_resolver_options=foo',
      'smtp_address_verify_target=foo',
      'smtp_address_verify_target=',
    ],
  ],
  ['lmtp', ['lmtp_lhlo_timeout=0', 'lmtp_address_preference=foo']],
  [
    'cleanup',
    ['hopcount_limit=0', 'header_size_limit=x', 'message_drop_headers=${', 'mime_nesting_limit=0'],
  ],
  ['bounce', ['bounce_size_limit=x', 'bounce_size_limit=-1', 'maximal_queue_lifetime=-1']],
  ['local', ['mailbox_size_limit=x', 'deliver_lock_delay=0']],
  ['virtual', ['virtual_mailbox_base=']],
  ['trivial-rewrite', ['allow_percent_hack=x', 'swap_bangpath=', 'remote_header_rewrite_domain=$']],
  ['error', ['ipc_timeout=x']],
]

interface Ending {
  readonly status: number | undefined
  readonly lines: readonly string[]
}

t.test('what a daemon says of a bad value', async (t) => {
  const directory = await mkdtemp(join(tmpdir(), 'parity-values-'))
  t.teardown(async () => rm(directory, { recursive: true }))
  await chmod(directory, 0o755)
  const queue = join(directory, 'spool')
  await mkdir(queue)
  await chown(queue, findUser('postfix')?.uid ?? 0, 0)
  const main = `compatibility_level = 3.7\nmyhostname = mx.example.com\nqueue_directory = ${queue}\n`
  await writeFile(join(directory, 'main.cf'), `${main}data_directory = ${directory}\n`)
  const run = async (system: System, program: string, setting: string): Promise<Ending> => {
    const { exitCode, stderr } = await execa(
      join(DAEMONS[system], program),
      ['-SV', '-o', setting],
      { input: '', reject: false, timeout: 20_000, env: { MAIL_CONFIG: directory } },
    )
    const lines = stderr.split('\n').map((line) => line.replace(/^(?:postfix\/)?[\w-]+: /, ''))
    // Postfix has another table type in a default
    const isOfBuild = (line: string): boolean => line.includes('NIS domain name')
    return { status: exitCode, lines: lines.filter((line) => !isOfBuild(line)) }
  }
  const compared = SAMPLES.flatMap(([program, settings]) =>
    settings.map(async (setting) => {
      const postfix = await run('postfix', program, setting)
      return {
        name: `${program} -o ${setting}`,
        postfix,
        posthorn: await run('posthorn', program, setting),
      }
    }),
  )
  for (const { name, postfix, posthorn } of await Promise.all(compared)) {
    t.equal(postfix.status, 1, `${name} ends Postfix's`)
    t.equal(posthorn.status, postfix.status, name)
    // ours says in a line more where in main.cf a value stands
    t.equal(posthorn.lines.at(-1), postfix.lines.at(-1), name)
    for (const line of postfix.lines) t.ok(posthorn.lines.includes(line), `${name}: ${line}`)
  }
})
