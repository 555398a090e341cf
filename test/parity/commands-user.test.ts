/**
 * commands-user - what an ordinary user may do on a system that root runs
 *
 * The same command lines as user nobody under Postfix and under an installed Posthorn, whose postdrop and postqueue are
 * set-gid by way of a launcher. Needs root, Postfix 3.7 and mount(2).
 */
import { readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import type { Instance, System } from '../../scripts/instance.ts'
import { installSite } from '../end-to-end/installed-site.ts'
import { startSystem, SYSTEMS } from './both-systems.ts'
import { NOBODY, runCommand, type Outcome, type RunOptions } from './command-lines.ts'

const site = await installSite(t)

interface Doing extends RunOptions {
  readonly words: readonly string[]
  /** Lines of main.cf that differ from the instance's. */
  readonly main?: Readonly<Record<string, string>>
}

const HOSTILE = {
  NODE_OPTIONS: '--require=/nonexistent.js --inspect=127.0.0.1:0',
  NODE_EXTRA_CA_CERTS: '/etc/shadow',
  NODE_REPL_EXTERNAL_MODULE: '/nonexistent.js',
  NODE_V8_COVERAGE: '/tmp/coverage',
  NODE_DEBUG: 'fs,net',
  LD_PRELOAD: '/nonexistent.so',
  LD_LIBRARY_PATH: '/tmp',
  MALLOC_TRACE: '/tmp/trace',
  OPENSSL_CONF: '/etc/shadow',
  TZ: '../../../../etc/shadow',
  HOME: '/root',
  POSTLOG_SERVICE: '/tmp/nowhere',
  MAIL_DEBUG: '1',
  MAIL_VERBOSE: '1',
}

const MESSAGE = 'Subject: hello\n\nfrom nobody\n'

const DOINGS: Readonly<Record<string, Doing>> = {
  'an empty queue': { words: ['mailq'] },
  'sendmail submits': { words: ['sendmail', '-f', 'n@x.test', 'a@x.test'], input: MESSAGE },
  'sendmail -t submits': {
    words: ['sendmail', '-t'],
    input: `To: b@x.test\nBcc: c@x.test\n${MESSAGE}`,
  },
  'a hostile environment of postdrop': {
    words: ['postdrop', '-r'],
    input: 'S\x01aR\x08a@x.testM\0N\x01xX\0E\0',
    environment: HOSTILE,
  },
  'a hostile environment of postqueue': { words: ['postqueue', '-j'], environment: HOSTILE },
  'postdrop wants the protocol': { words: ['postdrop', '-r'], input: 'garbage' },
  'postdrop: a record that is not allowed': { words: ['postdrop'], input: 'C\x03abc' },
  'postdrop: nothing': { words: ['postdrop', '-v', 'word'] },
  'postdrop: bad option': { words: ['postdrop', '-x'] },
  'postdrop -c of an unlisted directory': { words: ['postdrop', '-c', '/tmp'] },
  'postdrop, MAIL_CONFIG unlisted': { words: ['postdrop'], environment: { MAIL_CONFIG: '/tmp' } },
  'postdrop -c of a missing directory that is listed': {
    words: ['postdrop', '-c', '/nonexistent'],
    main: { alternate_config_directories: '/nonexistent' },
  },
  'postqueue -c of an unlisted directory': { words: ['postqueue', '-c', '/tmp', '-p'] },
  'postqueue, MAIL_CONFIG unlisted': {
    words: ['postqueue', '-p'],
    environment: { MAIL_CONFIG: '/tmp' },
  },
  'sendmail -C of an unlisted directory': { words: ['sendmail', '-C', '/tmp', 'a@x.test'] },
  'sendmail -C of the default': {
    words: ['sendmail', '-C', '/etc/postfix/main.cf', 'a@x.test'],
    input: MESSAGE,
  },
  'the maildrop directory is closed': { words: ['ls', 'maildrop'] },
  'the socket directory is closed': { words: ['ls', 'public'] },
  'nobody is not authorized to submit': {
    words: ['sendmail', 'a@x.test'],
    input: MESSAGE,
    main: { authorized_submit_users: '!nobody, static:all' },
  },
  'nobody is not authorized to look': {
    words: ['mailq'],
    main: { authorized_mailq_users: 'root, daemon' },
  },
  'nobody is not authorized to look at JSON': {
    words: ['postqueue', '-j'],
    main: { authorized_mailq_users: 'root' },
  },
  'nobody is not authorized to flush': {
    words: ['postqueue', '-f'],
    main: { authorized_flush_users: 'root' },
  },
  'nobody is not authorized to flush a site': {
    words: ['postqueue', '-s', 'x.test'],
    main: { authorized_flush_users: 'root' },
  },
  'nobody flushes': { words: ['sendmail', '-q'] },
  'nobody flushes a message': { words: ['postqueue', '-i', 'ABCDEF0123'] },
  'a sender that is not allowed': {
    words: ['sendmail', '-f', 'boss@x.test', 'a@x.test'],
    input: MESSAGE,
    main: { local_login_sender_maps: 'inline:{nobody=nobody}' },
  },
  'postsuper is for root': { words: ['postsuper', '-p'] },
  'postkick is for those who may enter': { words: ['postkick', 'public', 'pickup', 'W'] },
  'postcat cannot look into a message': { words: ['postcat', '-q', 'ABCDEF0123'] },
}

async function setUp(t: Test, system: System): Promise<Instance> {
  return startSystem(t, system, {
    main: {
      ...(system === 'posthorn'
        ? { command_directory: site.commands, daemon_directory: site.daemons }
        : {}),
      mydestination: '',
      // messages stay where postdrop put them: they can be counted
      master_service_disable: 'pickup.unix',
      default_transport: 'retry:later',
      maillog_file: '',
      syslog_name: 'posthorn-test',
    },
  })
}

/** How many are complete: after a refusal Postfix's postdrop leaves its unfinished file behind. */
async function maildropCount(instance: Instance): Promise<number> {
  const directory = join(instance.queueDirectory, 'maildrop')
  const modes = (await readdir(directory)).map(
    async (name) => (await stat(join(directory, name))).mode,
  )
  return (await Promise.all(modes)).filter((mode) => (mode & 0o100) !== 0).length
}

/** Listings are in the order of the directory, which is nobody's. */
function sorted(outcome: Outcome): Outcome {
  const text = outcome.stdout.replace(/("message_size": )\d+/g, '$1N') // of the time record
  return { ...outcome, stdout: text.split('\n').sort().join('\n') }
}

async function perform(instance: Instance, system: System, doing: Doing): Promise<Outcome> {
  const directory = system === 'postfix' ? '/usr/sbin' : site.commands
  const [name = '', ...args] = doing.words
  const path =
    name === 'ls'
      ? '/bin/ls'
      : name === 'mailq' && system === 'postfix'
        ? '/usr/bin/mailq'
        : join(directory, name)
  return runCommand(instance, path, args, {
    user: NOBODY,
    directory: instance.queueDirectory,
    ...doing,
  })
}

t.test('the same command lines as nobody', async (t) => {
  const seen: Partial<Record<System, Record<string, unknown>>> = {}
  for (const system of SYSTEMS) {
    const instance = await setUp(t, system)
    const results: Record<string, unknown> = {}
    const file = join(instance.configDirectory, 'main.cf')
    const stock = await readFile(file, 'utf8')
    for (const [title, doing] of Object.entries(DOINGS)) {
      const extra = Object.entries(doing.main ?? {}).map(([name, value]) => `${name} = ${value}\n`)
      await writeFile(file, stock + extra.join(''))
      await utimes(file, 1, 1) // Postfix waits until a file that is being written has come to rest
      const before = await maildropCount(instance)
      const outcome = await perform(instance, system, doing)
      results[title] = { ...sorted(outcome), messages: (await maildropCount(instance)) - before }
    }
    seen[system] = results
    await instance.stop()
  }
  for (const title of Object.keys(DOINGS)) {
    t.same(seen.posthorn?.[title], seen.postfix?.[title], title)
  }
})
