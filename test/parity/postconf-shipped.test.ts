/**
 * postconf-shipped - the configuration that we ship, as a new site has it
 *
 * Both postconf(1) read it and have nothing to say; what is a comment in it can be made a setting; and with nothing
 * changed but where things are, our master runs every service of it. Needs root and Postfix 3.7.
 */
import { chmod, chown, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { createConnection } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { findUser } from '@posthorn/native/user'
import { freePort } from '@posthorn/testing/free-port'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import t, { type Test } from 'tap'
import { ROOT } from '../../scripts/instance.ts'

const POSTCONF = ['/usr/sbin/postconf', join(ROOT, 'build/sbin/postconf')]

async function shipped(name: string): Promise<string> {
  return readFile(join(ROOT, 'conf', name), 'utf8')
}

async function makeDirectory(t: Test): Promise<string> {
  const directory = await mkdtemp(join(tmpdir(), 'parity-shipped-'))
  t.teardown(async () => rm(directory, { recursive: true, force: true }))
  await chmod(directory, 0o755)
  await mkdir(join(directory, 'etc'))
  await writeFile(join(directory, 'etc/aliases'), await shipped('aliases'))
  return directory
}

/** A comment that would be a setting without its first character; a parameter of ours is not for Postfix. */
const UNSET = /^#(?!service_worker_)(?=[a-z_]+ +=|[a-z]+ +(?:inet|unix|pass) | {2}-o | {2}flags=)/gm

/** Each system has its own mail_name. */
const nameless = (text: string): string => text.replaceAll(/\b(?:Postfix|Posthorn)\b/g, 'MTA')

t.test('postconf has nothing to complain about', async (t) => {
  for (const isWhole of [false, true]) {
    const directory = await makeDirectory(t)
    for (const name of ['main.cf', 'master.cf']) {
      const text = await shipped(name)
      await writeFile(join(directory, 'etc', name), isWhole ? text.replace(UNSET, '') : text)
    }
    for (const option of ['-n', '-M', '-F', '-Px', '-nx']) {
      const said = await Promise.all(
        POSTCONF.map(async (file) =>
          execa(file, ['-c', join(directory, 'etc'), option], { reject: false }),
        ),
      )
      for (const { exitCode, stderr, stdout } of said) {
        t.same({ exitCode, stderr }, { exitCode: 0, stderr: '' }, `${option}, comments ${isWhole}`)
        t.equal(nameless(stdout), nameless(said[0]?.stdout ?? ''), `${option}, comments ${isWhole}`)
      }
    }
  }
})

/** The files with everything below one directory, and a port that is free. */
async function layOut(directory: string, port: number): Promise<void> {
  const owner = findUser('postfix')?.uid ?? 0
  for (const name of ['spool', 'data']) await mkdir(join(directory, name))
  await chown(join(directory, 'data'), owner, 0)
  const places: Record<string, string> = {
    queue_directory: join(directory, 'spool'),
    data_directory: join(directory, 'data'),
    daemon_directory: join(ROOT, 'build/libexec'),
    command_directory: join(ROOT, 'build/sbin'),
  }
  const main = (await shipped('main.cf')).replace(
    /^(\w+_directory) = .*/gm,
    (line, name: string) => `${name} = ${places[name] ?? line}`,
  )
  const log = `maillog_file = ${join(directory, 'log')}\nmaillog_file_prefixes = /\n`
  // virtual(8) is of no use without a base, and says so
  const own =
    'myhostname = mx.example.test\nvirtual_mailbox_base = /\n' +
    'transport_maps = inline:{{ example.org = discard: }}\n'
  await writeFile(join(directory, 'etc/main.cf'), `${main}${log}${own}`)
  const master = (await shipped('master.cf')).replace(/^smtp(?= +inet)/m, `127.0.0.1:${port}`)
  await writeFile(join(directory, 'etc/master.cf'), master)
}

async function canConnect(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection(path)
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => {
      resolve(false)
    })
  })
}

t.test('master runs it as it is', async (t) => {
  const directory = await makeDirectory(t)
  const port = await freePort()
  await layOut(directory, port)
  const postfix = async (word: string): Promise<string> => {
    // env(1) takes away what a test runner puts into the environment of its children
    const args = ['-i', join(ROOT, 'build/sbin/postfix'), '-c', join(directory, 'etc'), word]
    return (await execa('/usr/bin/env', args, { all: true })).all
  }
  const log = async (): Promise<string> => readFile(join(directory, 'log'), 'latin1')
  t.teardown(async () => postfix('stop').catch(() => undefined))
  t.notMatch(await postfix('start'), /warning|fatal|error/)

  const client = await SmtpClient.open(port)
  await client.say('EHLO client.test', '250')
  await client.send('a@example.com', ['b@example.org'], 'Subject: x\r\n\r\nhello')
  await client.quit()
  await waitFor(async () => /discard\[.*status=sent/.test(await log()), 'the mail to be gone')

  const services = (await shipped('master.cf')).matchAll(/^([a-z]+) +unix +([-n]) /gm)
  for (const [, service = '', isPrivate = ''] of services) {
    const path = join(directory, 'spool', isPrivate === 'n' ? 'public' : 'private', service)
    t.equal(await canConnect(path), true, service)
  }
  await postfix('reload')
  await postfix('status')
  await postfix('stop')
  // as Postfix does, when it is asked for anything and main.cf has no TLS
  const complaint =
    /.*(?:warning|error|fatal|panic): (?!TLS server role is disabled with tlsproxy_tls_).*/g
  t.same((await log()).match(complaint) ?? [], [])
})
