/**
 * exim - a private Exim, whose TLS is GnuTLS: takes all mail, into one file
 *
 * Two ports: at one of them it speaks no TLS but 1.2. It asks for a certificate, verifies what it gets, and resumes sessions; its
 * log says so. `nobody` is no user, and `later` cannot have mail now. Passwords as given, for PLAIN, LOGIN and CRAM-MD5.
 * Needs root, unshare(1) and what fetch-peers.sh fetches. Exim looks for the user that Debian has made it for: it gets a
 * passwd file of its own, in a mount namespace of its own.
 */
import { access, chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@posthorn/testing/free-port'
import { issueCertificate, rootPem } from '@posthorn/testing/test-certificates'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import type { Test } from 'tap'
import { ROOT } from '../../scripts/instance.ts'

const PEERS = join(ROOT, 'build/peers')
const PROGRAM = join(PEERS, 'usr/sbin/exim4')
const IN_NAMESPACE =
  'mount --bind "$1/passwd" /etc/passwd && mount --bind "$1/group" /etc/group && shift && exec "$@"'

export interface Exim {
  readonly port: number
  /** No TLS 1.3 here. */
  readonly oldPort: number
  /** Of the authority that its certificate, for exim.test, comes from. */
  readonly caFile: string
  /** Key and certificate of a client that it trusts: client.test. */
  readonly clientFile: string
  /** What came for a local part, one message each, as it stands in an mbox file; `Envelope-to:` says for whom. */
  messages: (user: string) => Promise<string[]>
  log: () => Promise<string>
}

/** Started; stopped and removed when the test ends. `password`: of user alice. */
export async function startExim(t: Test, password: string): Promise<Exim> {
  await access(PROGRAM).catch((error: unknown) => {
    throw new Error('Cannot find Exim: run test/end-to-end/fetch-peers.sh', { cause: error })
  })
  const directory = await mkdtemp(join(tmpdir(), 'exim-'))
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o755)
  const at = (name: string): string => join(directory, name)
  const [port, oldPort] = [await freePort(), await freePort()]
  const own = issueCertificate({ names: ['exim.test'], key: 'rsa' })
  const client = issueCertificate({ names: ['client.test'], usage: 'client' })
  await writeFile(at('key.pem'), own.key)
  await writeFile(at('cert.pem'), own.cert)
  await writeFile(at('root.pem'), rootPem())
  await writeFile(at('client.pem'), client.key + client.cert, { mode: 0o600 })
  await writeFile(at('conf'), configuration({ directory, port, oldPort, password }))
  const { stdout: uid } = await execa('id', ['-u', 'nobody'])
  for (const name of ['spool', 'log', 'mail']) {
    await mkdir(at(name))
    await chown(at(name), Number(uid), 0)
  }
  for (const name of ['passwd', 'group']) {
    const known = await readFile(`/etc/${name}`, 'latin1')
    await writeFile(at(name), `${known}Debian-exim:x:${uid}:${uid}::/:/bin/false\n`)
  }
  const line = ['sh', '-c', IN_NAMESPACE, 'sh', directory, PROGRAM, '-C', at('conf'), '-bdf']
  const exim = execa('unshare', ['--mount', ...line], {
    reject: false,
    env: { LD_LIBRARY_PATH: join(PEERS, 'usr/lib', `${machine()}-linux-gnu`) },
  })
  t.teardown(async () => {
    exim.kill('SIGTERM')
    await exim
  })
  const log = async (): Promise<string> => readFile(at('log/main'), 'utf8').catch(() => '')
  await waitFor(async () => (await log()).includes('daemon started'), 'Exim', 20_000)
  return {
    port,
    oldPort,
    caFile: at('root.pem'),
    clientFile: at('client.pem'),
    log,
    messages: async (user) => {
      const mbox = await readFile(at('mail/all'), 'latin1').catch(() => '')
      const all = mbox.split(/^From \S+ .*\n/m).slice(1)
      return all.filter((text) => new RegExp(`^Envelope-to: ${user}@`, 'm').test(text))
    },
  }
}

function machine(): string {
  return process.arch === 'arm64' ? 'aarch64' : 'x86_64'
}

function configuration(site: {
  directory: string
  port: number
  oldPort: number
  password: string
}): string {
  const { directory, port, oldPort, password } = site
  return `
primary_hostname = exim.test
exim_path = ${PROGRAM}
exim_user = nobody
exim_group = nogroup
keep_environment = LD_LIBRARY_PATH
spool_directory = ${directory}/spool
log_file_path = ${directory}/log/%s
pid_file_path = ${directory}/log/pid
log_selector = +tls_resumption +tls_certificate_verified +tls_peerdn +incoming_port
local_interfaces = 127.0.0.1
daemon_smtp_ports = ${port} : ${oldPort}
never_users =
deliver_drop_privilege = true
host_lookup =
rfc1413_hosts =
acl_smtp_rcpt = recipients
acl_smtp_data = content
tls_advertise_hosts = *
tls_certificate = ${directory}/cert.pem
tls_privatekey = ${directory}/key.pem
tls_verify_certificates = ${directory}/root.pem
tls_try_verify_hosts = *
tls_resumption_hosts = *
tls_require_ciphers = \${if ={$received_port}{${oldPort}}{NORMAL:-VERS-ALL:+VERS-TLS1.2}{NORMAL}}
auth_advertise_hosts = *

begin acl
recipients:
  deny local_parts = nobody
       message = no such user
  defer local_parts = later
       message = not now
  accept
content:
  accept

begin routers
all:
  driver = accept
  transport = file

begin transports
file:
  driver = appendfile
  file = ${directory}/mail/all
  envelope_to_add
  user = nobody
  group = nogroup

begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = \${if and{{eq{$auth2}{alice}}{eq{$auth3}{${password}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = \${if and{{eq{$auth1}{alice}}{eq{$auth2}{${password}}}}}
  server_set_id = $auth1
cram:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = \${if eq{$auth1}{alice}{${password}}fail}
  server_set_id = $auth1
`
}
