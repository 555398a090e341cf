/**
 * instance - a private mail system in one directory: Posthorn, Postfix, or a mixture of the two
 *
 * Its own configuration, queue, data directory and log; loopback only; ports that were free. Used by the
 * demo, the benchmarks and the tests that run several programs. `daemons` says, program by program, whose
 * executable the daemon directory holds: that is how one daemon at a time is exchanged.
 */
import {
  chown,
  mkdir,
  readFile,
  readdir,
  rm,
  stat,
  symlink,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { userInfo } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { freePort } from '@posthorn/testing/free-port'
import { execa } from 'execa'

export type System = 'posthorn' | 'postfix'

export const ROOT = dirname(import.meta.dirname)

/** 2001 */
const LONG_AGO_SECONDS = 1_000_000_000

const POSTFIX_DAEMONS = '/usr/lib/postfix/sbin'

export interface InstanceOptions {
  /** Everything of the instance lives below this directory, which is made anew. */
  readonly directory: string
  /** Whose commands start and inspect it. */
  readonly commands: System
  /** Whose daemons run, unless `exchanged` says otherwise. */
  readonly daemons: System
  /** Programs that come from the other system. */
  readonly exchanged?: readonly string[]
  /** User that owns the queue; the user who runs the script, for a rootless instance. */
  readonly owner?: string
  readonly main?: Readonly<Record<string, string>>
  /** Lines of master.cf that replace the service of the same name and type, or are added. */
  readonly master?: readonly string[]
  /** How many clients its SMTP server takes at once, where that is not the default. */
  readonly smtpdClients?: number
  readonly verbose?: boolean
  /** A file that its programs find as /etc/resolv.conf; needs root and unshare(1). */
  readonly resolvConf?: string
}

/** A mount namespace of their own in which $1 is resolv.conf(5). */
const WITH_RESOLV_CONF = 'mount --bind "$1" /etc/resolv.conf && shift && exec "$@"'

function masterLines(smtpPort: number, options: InstanceOptions): string {
  // Our delivery agents serve many clients in one process, so their limit can be high.
  const many = options.daemons === 'posthorn' ? '1000' : '-'
  const replaced = options.master ?? []
  const stock = [
    `127.0.0.1:${smtpPort} inet n - n - ${options.smtpdClients ?? '-'} smtpd`,
    'pickup unix n - n 60 1 pickup',
    'cleanup unix n - n - 0 cleanup',
    'qmgr unix n - n 300 1 qmgr',
    'rewrite unix - - n - - trivial-rewrite',
    'bounce unix - - n - 0 bounce',
    'defer unix - - n - 0 bounce',
    'trace unix - - n - 0 bounce',
    'verify unix - - n - 1 verify',
    'flush unix n - n 1000? 0 flush',
    'proxymap unix - - n - - proxymap',
    'proxywrite unix - - n - 1 proxymap',
    `smtp unix - - n - ${many} smtp`,
    `relay unix - - n - ${many} smtp -o syslog_name=postfix/$service_name`,
    'showq unix n - n - - showq',
    'error unix - - n - - error',
    'retry unix - - n - - error',
    'discard unix - - n - - discard',
    'local unix - n n - - local',
    'virtual unix - n n - - virtual',
    'anvil unix - - n - 1 anvil',
    'scache unix - - n - 1 scache',
    'tlsmgr unix - - n 1000? 1 tlsmgr',
    'tlsproxy unix - - n - 0 tlsproxy',
    'postlog unix-dgram n - n - 1 postlogd',
  ]
  const key = (line: string): string => line.trim().split(/\s+/).slice(0, 2).join('/')
  const keys = new Set(replaced.map(key))
  return [...stock.filter((line) => !keys.has(key(line))), ...replaced, ''].join('\n')
}

/** The executables below one directory, as links to the real ones of either system. */
async function linkDaemons(options: InstanceOptions, directory: string): Promise<void> {
  await mkdir(directory, { recursive: true })
  const folders: Record<System, string> = {
    posthorn: join(ROOT, 'build/libexec'),
    postfix: POSTFIX_DAEMONS,
  }
  const other: System = options.daemons === 'posthorn' ? 'postfix' : 'posthorn'
  const exchanged = new Set(options.exchanged)
  for (const name of await readdir(folders[options.daemons])) {
    if (!exchanged.has(name))
      await symlink(join(folders[options.daemons], name), join(directory, name))
  }
  for (const name of exchanged) await symlink(join(folders[other], name), join(directory, name))
}

export class Instance {
  readonly directory: string
  readonly configDirectory: string
  readonly queueDirectory: string
  readonly logFile: string
  readonly smtpPort: number
  readonly commands: System
  readonly #started: { value: boolean } = { value: false }
  readonly #resolvConf: string | undefined

  private constructor(options: InstanceOptions, smtpPort: number) {
    this.directory = options.directory
    this.configDirectory = join(options.directory, 'etc')
    this.queueDirectory = join(options.directory, 'spool')
    this.logFile = join(options.directory, 'mail.log')
    this.commands = options.commands
    this.smtpPort = smtpPort
    this.#resolvConf = options.resolvConf
  }

  /** Lays the files out; starts nothing. */
  static async create(options: InstanceOptions): Promise<Instance> {
    const instance = new Instance(options, await freePort())
    const owner = options.owner ?? userInfo().username
    await rm(options.directory, { recursive: true, force: true })
    for (const path of [
      instance.configDirectory,
      instance.queueDirectory,
      join(options.directory, 'data'),
    ]) {
      await mkdir(path, { recursive: true, mode: 0o755 })
    }
    const daemons = join(options.directory, 'libexec')
    await linkDaemons(options, daemons)
    const isRootless = owner === userInfo().username
    const main: Record<string, string> = {
      compatibility_level: '3.7',
      queue_directory: instance.queueDirectory,
      data_directory: join(options.directory, 'data'),
      daemon_directory: daemons,
      command_directory: options.commands === 'posthorn' ? join(ROOT, 'build/sbin') : '/usr/sbin',
      mail_owner: owner,
      maillog_file: instance.logFile,
      maillog_file_prefixes: '/',
      myhostname: 'mx.example.test',
      mydestination: '$myhostname, localhost',
      mynetworks: '127.0.0.0/8',
      inet_interfaces: '127.0.0.1',
      inet_protocols: 'ipv4',
      alias_maps: '',
      alias_database: '',
      local_recipient_maps: '',
      ...(isRootless ? { default_privs: owner } : {}),
      ...options.main,
    }
    const text = Object.entries(main).map(([name, value]) => `${name} = ${value}\n`)
    const mainCf = join(instance.configDirectory, 'main.cf')
    await writeFile(mainCf, text.join(''))
    // Postfix reads a main.cf of this very second again and again until it is a second old
    await utimes(mainCf, LONG_AGO_SECONDS, LONG_AGO_SECONDS)
    await writeFile(
      join(instance.configDirectory, 'master.cf'),
      masterLines(instance.smtpPort, options),
    )
    if (options.daemons === 'postfix' || options.commands === 'postfix') {
      // The real programs look for these beside main.cf.
      for (const name of ['postfix-files', 'dynamicmaps.cf']) {
        await writeFile(
          join(instance.configDirectory, name),
          await readFile(`/etc/postfix/${name}`),
        )
      }
    }
    if (!isRootless) {
      const { stdout } = await execa('id', ['-u', owner])
      await chown(join(options.directory, 'data'), Number(stdout), 0)
    }
    return instance
  }

  /** The path of a command (postqueue, postsuper, ...) of this instance's own system. */
  command(name: string): string {
    if (this.commands === 'posthorn') return join(ROOT, 'build/sbin', name)
    return name === 'sendmail' || name.startsWith('post') ? `/usr/sbin/${name}` : name
  }

  /**
   * A command line that starts a program of this instance in an environment of its own: what a test runner
   * puts into the environment of its children would make them other programs than those that are installed.
   */
  commandLine(name: string, args: readonly string[] = []): [file: string, args: string[]] {
    const environment = [
      'PATH=/usr/sbin:/usr/bin:/sbin:/bin',
      `MAIL_CONFIG=${this.configDirectory}`,
    ]
    const line = ['-i', ...environment, this.command(name), ...args]
    if (this.#resolvConf === undefined) return ['/usr/bin/env', line]
    const shell = ['sh', '-c', WITH_RESOLV_CONF, 'sh', this.#resolvConf]
    return ['unshare', ['--mount', ...shell, '/usr/bin/env', ...line]]
  }

  /** Runs a command of this instance and returns what it printed. */
  async run(name: string, args: readonly string[] = [], input?: string): Promise<string> {
    const result = await execa(...this.commandLine(name, ['-c', this.configDirectory, ...args]), {
      reject: false,
      all: true,
      ...(input === undefined ? {} : { input }),
    })
    if (result.failed) {
      throw new Error(`${basename(name)} ${args.join(' ')}: ${result.all}\n${await this.log()}`)
    }
    return result.stdout
  }

  async start(): Promise<void> {
    this.#started.value = true
    await this.run('postfix', ['start'])
  }

  /** Stops what runs; nothing happens when nothing does. */
  async stop(): Promise<void> {
    if (!this.#started.value) return
    this.#started.value = false
    await execa(...this.commandLine('postfix', ['stop']), { reject: false })
  }

  /** The pid of master, while it runs. */
  async masterPid(): Promise<number> {
    return Number((await readFile(join(this.queueDirectory, 'pid/master.pid'), 'latin1')).trim())
  }

  async log(): Promise<string> {
    return readFile(this.logFile, 'latin1').catch(() => '')
  }

  /**
   * Message files in the named queue directories, whatever the hashing. Without names, those with mail on its
   * way; deferred is looked at first and last, so that no message slips by from one directory to another.
   */
  async queued(
    ...queues: readonly ('incoming' | 'active' | 'deferred' | 'maildrop' | 'hold' | 'corrupt')[]
  ): Promise<string[]> {
    const wanted =
      queues.length > 0
        ? queues
        : (['deferred', 'maildrop', 'incoming', 'active', 'deferred'] as const)
    const found = new Set<string>()
    for (const queue of wanted) {
      const entries = await readdir(join(this.queueDirectory, queue), {
        recursive: true,
        withFileTypes: true,
      })
      for (const entry of entries) if (entry.isFile()) found.add(`${queue}/${entry.name}`)
    }
    return [...found]
  }

  /**
   * As queued(), without files that are still being written: what a killed cleanup(8) leaves behind is no
   * message, for nobody was told that it was accepted.
   */
  async undelivered(): Promise<string[]> {
    const complete = await Promise.all(
      (await this.queued()).map(async (path) => {
        const stats = await stat(join(this.queueDirectory, path)).catch(() => undefined)
        return stats === undefined || (stats.mode & 0o100) !== 0 ? path : undefined
      }),
    )
    return complete.filter((path) => path !== undefined)
  }
}
