/**
 * submission - ordinary users submit mail and look at the queue, through the set-gid commands of an installed system
 *
 * And nothing that a user prepares reaches the program that has the rights. Needs root and mount(2).
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, chown, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import t from 'tap'
import { Instance, ROOT } from '../../scripts/instance.ts'
import { NOBODY, runCommand } from '../parity/command-lines.ts'
import { installSite } from './installed-site.ts'

const site = await installSite(t)
const directory = dirname(dirname(dirname(site.commands)))
const COMPILE = join(ROOT, 'packages/lib/native/setgid/compile.sh')
const group = Number((await execa('getent', ['group', 'postdrop'])).stdout.split(':')[2])

/** What the launcher starts says how it finds itself, and waits when it is told to. */
const PROBE = `
const { readFileSync, readlinkSync } = require('node:fs')
const open = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 90].filter((fd) => {
  try { return !/^(anon_inode|pipe|socket|.*eventfd)/.test(readlinkSync('/proc/self/fd/' + fd)) || fd < 3 } catch { return false }
})
const status = readFileSync('/proc/self/status', 'utf8')
console.log(JSON.stringify({
  words: process.argv.slice(2), flags: process.execArgv, env: process.env, umask: process.umask(),
  gid: process.getgid(), egid: process.getegid(), uid: process.getuid(), euid: process.geteuid(),
  open, handled: (parseInt(/SigBlk:\\s*(\\w+)/.exec(status)[1].slice(-8), 16) | parseInt(/SigIgn:\\s*(\\w+)/.exec(status)[1].slice(-8), 16)) & 0x4003,
  core: /Max core file size\\s+(\\d+)\\s+(\\d+)/.exec(readFileSync('/proc/self/limits', 'utf8')).slice(1),
}))
if (process.argv[2] === 'wait') setTimeout(() => undefined, 60_000)
`

async function makeProbe(): Promise<string> {
  const script = join(directory, 'probe.js')
  const launcher = join(directory, 'probe')
  await writeFile(script, PROBE)
  await chmod(script, 0o644)
  await execa(COMPILE, [site.node, script, launcher])
  await chown(launcher, 0, group)
  await chmod(launcher, 0o2755)
  return launcher
}

const asNobody = ['--reuid', String(NOBODY.uid), '--regid', String(NOBODY.gid), '--clear-groups']

t.test('the launcher leaves nothing of what its caller prepared', async (t) => {
  const probe = await makeProbe()
  const { stdout } = await execa(
    '/usr/bin/setpriv',
    [
      ...asNobody,
      '/bin/sh',
      '-c',
      `exec 9</etc/passwd; ulimit -c unlimited; umask 0; trap '' HUP INT TERM; exec "$@"`,
      '/bin/sh',
      probe,
      'a',
      '--inspect',
      '--',
      '',
    ],
    {
      extendEnv: false,
      stdin: 'ignore',
      env: {
        ...{
          MAIL_CONFIG: '/some/where',
          TZ: 'Europe/Berlin',
          HOME: '/tmp',
          PATH: '/tmp',
          LANG: 'xx',
        },
        ...{ NODE_OPTIONS: '--inspect', NODE_EXTRA_CA_CERTS: '/etc/shadow', NODE_PATH: '/tmp' },
        ...{
          LD_LIBRARY_PATH: '/tmp',
          MAIL_LOGTAG: 'x',
          POSTLOG_SERVICE: '/tmp/x',
          MAIL_DEBUG: '1',
        },
      },
    },
  )
  t.strictSame(JSON.parse(stdout), {
    words: ['a', '--inspect', '--', ''],
    flags: ['--disable-sigusr1', '--no-global-search-paths'],
    env: {
      PATH: '/usr/sbin:/usr/bin:/sbin:/bin',
      LANG: 'C',
      MAIL_CONFIG: '/some/where',
      TZ: 'Europe/Berlin',
    },
    umask: 0o077,
    ...{ gid: NOBODY.gid, egid: group, uid: NOBODY.uid, euid: NOBODY.uid },
    open: [0, 1, 2],
    handled: 0,
    core: ['0', '0'],
  })
  for (const zone of [
    '../../etc/shadow',
    '/etc/shadow',
    ':/etc/shadow',
    'a b',
    'x'.repeat(65),
    '',
  ]) {
    const { stdout } = await execa('/usr/bin/setpriv', [...asNobody, probe], {
      extendEnv: false,
      env: { TZ: zone },
    })
    t.notOk('TZ' in (JSON.parse(stdout) as { env: object }).env, `TZ=${zone.slice(0, 20)}`)
  }
})

t.test('closed standard descriptors are opened', async (t) => {
  const probe = join(directory, 'probe')
  const out = join(directory, 'out')
  await execa('sh', ['-c', `exec "$1" >"$2" <&- 2>&-`, 'sh', probe, out])
  t.strictSame((JSON.parse(await readFile(out, 'utf8')) as { open: number[] }).open, [0, 1, 2])
})

t.test('the user can neither look into the process nor make it listen', async (t) => {
  const probe = join(directory, 'probe')
  const child = spawn('/usr/bin/setpriv', [...asNobody, probe, 'wait'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  child.stdout.on('data', (octets: Buffer) => (said += octets.toString()))
  child.stderr.on('data', (octets: Buffer) => (said += octets.toString()))
  await waitFor(() => said.includes('}'), 'it runs')
  const pid = String(child.pid)
  for (const file of ['environ', 'mem', 'maps']) {
    const { exitCode } = await execa(
      '/usr/bin/setpriv',
      [...asNobody, 'head', '-c1', `/proc/${pid}/${file}`],
      { reject: false },
    )
    t.not(exitCode, 0, `/proc/PID/${file} is closed`)
  }
  const closed = once(child, 'close')
  await execa('/usr/bin/setpriv', [...asNobody, 'kill', '-USR1', pid])
  await execa('/usr/bin/setpriv', [...asNobody, 'kill', '-TERM', pid])
  await closed
  t.notMatch(said, /Debugger listening/)
})

t.test('a user submits mail, sees the queue and cannot enter it', async (t) => {
  const instance = await Instance.create({
    directory: join(directory, 'i'),
    ...{ commands: 'posthorn', daemons: 'posthorn', owner: 'postfix' },
    main: {
      command_directory: site.commands,
      daemon_directory: site.daemons,
      default_transport: 'discard:',
      mydestination: '',
    },
  })
  t.teardown(async () => instance.stop())
  await instance.start()
  const user = { user: NOBODY, directory: instance.queueDirectory }
  const command = async (name: string, args: string[], input = '', environment = {}) =>
    runCommand(instance, join(site.commands, name), args, { ...user, input, environment })
  t.match(await command('sendmail', ['a@remote.test'], 'Subject: x\n\nhello\n'), {
    exit: 0,
    stderr: '',
  })
  await waitFor(async () => (await instance.log()).includes('status=sent'), 'it is delivered')
  t.match(await instance.log(), /postfix\/pickup\[\d+\]: \w+: uid=65534 from=<nobody>/)
  t.match(await command('mailq', []), { exit: 0, stdout: 'Mail queue is empty\n' })
  t.match(await command('sendmail', ['-q']), { exit: 0, stderr: '' })
  const closed = await runCommand(instance, '/bin/ls', ['maildrop'], user)
  t.match(closed.stderr, 'Permission denied')
  t.match(await command('postqueue', ['-p'], '', { MAIL_CONFIG: '/tmp' }), {
    exit: 69,
    stderr: /unauthorized configuration directory name: \/tmp/,
  })
})

t.test('postfix set-permissions and check know what is set-gid', async (t) => {
  const instance = await Instance.create({
    directory: join(directory, 'j'),
    ...{ commands: 'posthorn', daemons: 'posthorn', owner: 'postfix' },
    main: { command_directory: site.commands, daemon_directory: site.daemons },
  })
  const postfix = async (...args: string[]) =>
    runCommand(instance, join(site.commands, 'postfix'), args)
  const postdrop = join(site.commands, 'postdrop')
  const findings = async (): Promise<string> => {
    await rm(instance.logFile, { force: true })
    t.match(await postfix('check'), { exit: 0 })
    return (await instance.log()).replace(/^.*postfix-script\[\d+\]: /gm, '')
  }
  t.equal(await findings(), '', 'as installed')
  await chmod(postdrop, 0o755)
  t.equal(
    await findings(),
    `warning: not set-gid or not owner+group+world executable: ${postdrop}\n`,
  )
  await chown(postdrop, 0, 0)
  t.match(await findings(), `not owned by group postdrop: ${postdrop}`)
  t.match(await postfix('set-permissions'), { exit: 0 })
  const stats = await stat(postdrop)
  t.strictSame([stats.uid, stats.gid, stats.mode & 0o7777], [0, group, 0o2755])
  t.equal(await findings(), '', 'repaired')

  const bundles = join(dirname(site.commands), 'bundle')
  await chmod(bundles, 0o777)
  t.equal(
    await findings(),
    `warning: not owned by root, or group or other writable: ${bundles}\n`.repeat(2),
  )
  t.match(await postfix('set-permissions'), { exit: 1, stderr: /Cannot make \S+postdrop set-gid/ })
  await chmod(bundles, 0o755)
})
