/**
 * dovecot - a private Dovecot: LMTP into maildirs, and a submission server that hands on to a server of the test
 *
 * Needs root and the Debian packages dovecot-core, dovecot-lmtpd and dovecot-submissiond.
 */
import { chmod, chown, mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@posthorn/testing/free-port'
import { issueCertificate, rootPem } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import type { Test } from 'tap'

export interface Dovecot {
  readonly lmtpPort: number
  readonly lmtpPath: string
  readonly submissionPort: number
  /** Of the authority that its certificate, for dovecot.test, comes from. */
  readonly caFile: string
  /** The messages of a user, as they stand in the maildir. */
  messages: (user: string) => Promise<string[]>
  log: () => Promise<string>
}

export interface DovecotOptions {
  /** By name. */
  readonly passwords: Readonly<Record<string, string>>
  /** Where submitted mail goes. */
  readonly relayPort: number
}

/** Started; stopped and removed when the test ends. */
export async function startDovecot(t: Test, options: DovecotOptions): Promise<Dovecot> {
  const directory = await mkdtemp(join(tmpdir(), 'dovecot-'))
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o755)
  const at = (name: string): string => join(directory, name)
  const [lmtpPort, submissionPort] = [await freePort(), await freePort()]
  const { key, cert } = issueCertificate({ names: ['dovecot.test'], key: 'rsa' })
  const users = Object.entries(options.passwords)
  await writeFile(at('key.pem'), key, { mode: 0o600 })
  await writeFile(at('cert.pem'), cert)
  await writeFile(at('root.pem'), rootPem())
  await writeFile(
    at('users'),
    users.map(([name, password]) => `${name}:{PLAIN}${password}\n`).join(''),
  )
  await mkdir(at('mail'))
  const { stdout: uid } = await execa('id', ['-u', 'nobody'])
  await chown(at('mail'), Number(uid), 0)
  await writeFile(
    at('dovecot.conf'),
    configuration({ ...options, directory, lmtpPort, submissionPort }),
  )
  const dovecot = execa('/usr/sbin/dovecot', ['-F', '-c', at('dovecot.conf')], { reject: false })
  t.teardown(async () => {
    dovecot.kill('SIGTERM')
    await dovecot
  })
  const log = async (): Promise<string> => readFile(at('log'), 'utf8').catch(() => '')
  await waitFor(async () => (await log()).includes('starting up'), 'Dovecot', 20_000)
  return {
    lmtpPort,
    lmtpPath: at('lmtp'),
    submissionPort,
    caFile: at('root.pem'),
    log,
    messages: async (user) => {
      const folder = join(directory, 'mail', user, 'Maildir/new')
      const names = await readdir(folder).catch(() => [])
      return Promise.all(names.map(async (name) => readFile(join(folder, name), 'latin1')))
    },
  }
}

function configuration(site: {
  directory: string
  lmtpPort: number
  submissionPort: number
  relayPort: number
}): string {
  const { directory, lmtpPort, submissionPort, relayPort } = site
  return `
base_dir = ${directory}/run
log_path = ${directory}/log
protocols = lmtp submission
listen = 127.0.0.1
hostname = dovecot.test
ssl = yes
ssl_cert = <${directory}/cert.pem
ssl_key = <${directory}/key.pem
disable_plaintext_auth = yes
auth_mechanisms = plain login cram-md5 digest-md5 scram-sha-1 scram-sha-256
auth_failure_delay = 0
mail_location = maildir:~/Maildir
first_valid_uid = 1
passdb {
  driver = passwd-file
  args = username_format=%n ${directory}/users
}
userdb {
  driver = static
  args = uid=nobody gid=nogroup home=${directory}/mail/%n
}
service lmtp {
  unix_listener ${directory}/lmtp {
    mode = 0666
  }
  inet_listener lmtp {
    port = ${lmtpPort}
  }
}
service submission-login {
  inet_listener submission {
    port = ${submissionPort}
  }
  inet_listener submissions {
    port = 0
  }
}
submission_relay_host = 127.0.0.1
submission_relay_port = ${relayPort}
`
}
