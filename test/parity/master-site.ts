/**
 * master-site - a site whose daemons are shell scripts, for either system's master(8), and what master says to syslog
 *
 * What master finds wrong at start goes to syslog, whatever maillog_file says. Each master therefore runs in a mount namespace
 * of its own, in which /dev/log is a socket of the test. Needs root.
 */
import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import { DatagramSocket } from '@posthorn/native/datagram'
import { findUser } from '@posthorn/native/user'
import { connectStream, type ByteStream } from '@posthorn/stream/byte-stream'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { waitFor } from '@posthorn/testing/wait-for'
import { ROOT, type System } from '../../scripts/instance.ts'

const WAIT_MS = 20_000

const MASTERS: Record<System, string> = {
  postfix: '/usr/lib/postfix/sbin/master',
  posthorn: join(ROOT, 'build/libexec/master'),
}

/** A /dev of its own in $1, with the devices that programs need and the log at $2; then the command. */
const OWN_DEVICES = `
  mount --make-rprivate / && mount -t tmpfs tmpfs "$1" || exit 99
  for name in null zero full random urandom tty; do cp -a /dev/$name "$1/"; done
  ln -s "$2" "$1/log"; ln -s /proc/self/fd "$1/fd"
  mount --bind "$1" /dev && shift 2 && exec "$@"`

const PROBES: Record<string, string> = {
  // reports how it was started, then waits until master closes the status channel
  probe: `{ echo "args $*"; env | grep -v ^GENERATION | sort; pwd; umask; id; ls -l /proc/$$/fd; grep flags: /proc/$$/fdinfo/[3-9]; echo end; } > report.$$
    exec cat <&5`,
  crash: 'exit 7',
  killed: 'kill -9 $$',
}

interface Test {
  teardown: (undo: () => unknown) => unknown
}

export class MasterSite {
  readonly #test: Test
  readonly directory: string
  readonly system: System
  readonly #lines: string[] = []
  #marks = 0
  #master: ChildProcess | undefined

  constructor(t: Test, system: System) {
    this.#test = t
    this.system = system
    this.directory = temporaryDirectory(t)
    chmodSync(this.directory, 0o755)
    const owner = findUser('postfix')
    if (owner === undefined) throw new Error('Cannot make site: no user postfix')
    for (const name of ['etc', 'libexec', 'dev', 'data', 'q/pid', 'q/private', 'q/public']) {
      mkdirSync(join(this.directory, name), { recursive: true })
    }
    for (const name of ['data', 'q/private', 'q/public']) {
      chownSync(join(this.directory, name), owner.uid, owner.gid)
    }
    for (const [name, script] of Object.entries(PROBES)) {
      writeFileSync(join(this.directory, 'libexec', name), `#!/bin/sh\n${script}\n`, {
        mode: 0o755,
      })
    }
    const log = DatagramSocket.bind(join(this.directory, 'log'), 0o666)
    log.onMessage((octets) => {
      this.#lines.push(octets.replace(/^<\d+>.{15} |\0/g, ''))
    })
    t.teardown(async () => {
      await this.stop('SIGTERM')
      log.close()
    })
  }

  /** Writes main.cf and master.cf. */
  configure(
    services: readonly string[] | undefined,
    main: Readonly<Record<string, string>> = {},
  ): void {
    const settings = {
      compatibility_level: '3.7',
      queue_directory: `${this.directory}/q`,
      data_directory: `${this.directory}/data`,
      daemon_directory: `${this.directory}/libexec`,
      mail_owner: 'postfix',
      myhostname: 'mail.example.com',
      inet_interfaces: '127.0.0.1',
      inet_protocols: 'ipv4',
      ...main,
    }
    const text = Object.entries(settings).map(([name, value]) => `${name} = ${value}\n`)
    const path = join(this.directory, 'etc/main.cf')
    writeFileSync(path, text.join(''))
    utimesSync(path, 1e9, 1e9) // Postfix waits until a fresh file is a second old
    if (services !== undefined) {
      writeFileSync(
        join(this.directory, 'etc/master.cf'),
        services.map((one) => `${one}\n`).join(''),
      )
    }
  }

  /** Starts master, and waits until it is ready or has ended. */
  async start(...options: string[]): Promise<void> {
    const { directory } = this
    const command = [MASTERS[this.system], '-c', `${directory}/etc`, ...options]
    const inside = [
      '-m',
      '/bin/sh',
      '-c',
      OWN_DEVICES,
      'sh',
      `${directory}/dev`,
      `${directory}/log`,
    ]
    const child = spawn(
      '/usr/bin/unshare',
      [...inside, '/usr/bin/env', '-i', 'TZ=UTC', ...command],
      {
        detached: true,
        stdio: 'ignore',
      },
    )
    this.#master = child
    await waitFor(() => this.status !== undefined || this.has('daemon started'), 'master', WAIT_MS)
    if (this.status !== undefined) await this.#hearOut()
  }

  /** Exit status or signal; undefined while master runs. */
  get status(): number | string | undefined {
    return this.#master?.exitCode ?? this.#master?.signalCode ?? undefined
  }

  has(text: string): boolean {
    return this.#lines.some((line) => line.includes(text))
  }

  async logged(text: string): Promise<void> {
    await waitFor(() => this.has(text), text, WAIT_MS)
  }

  signal(signal: NodeJS.Signals): void {
    this.#master?.kill(signal)
  }

  async stop(signal: NodeJS.Signals): Promise<number | string | undefined> {
    if (this.#master === undefined) return undefined
    if (this.status === undefined) {
      const ended = once(this.#master, 'exit')
      this.#master.kill(signal)
      await ended
    }
    await this.#hearOut()
    return this.status
  }

  /** Waits until master has ended by itself. */
  async ended(): Promise<number | string | undefined> {
    await waitFor(() => this.status !== undefined, 'the end')
    await this.#hearOut()
    return this.status
  }

  /** What was logged before is in {@link said}: a process's end may be seen before its last line. */
  async #hearOut(): Promise<void> {
    const mark = `mark ${++this.#marks}`
    const log = DatagramSocket.connect(join(this.directory, 'log'))
    log.send(mark, WAIT_MS)
    log.close()
    await waitFor(() => this.#lines.includes(mark), 'the last line', WAIT_MS)
    this.#lines.splice(this.#lines.indexOf(mark), 1)
  }

  /** What master said, without what differs from run to run. */
  get said(): string[] {
    return this.#lines.map((line) => this.comparable(line))
  }

  comparable(text: string): string {
    return text
      .replaceAll(this.directory, 'DIR')
      .replace(/\[\d+\]: /g, ': ')
      .replace(/\bversion \S+/g, 'version V')
      .replace(/\bpid \d+/g, 'pid N')
      .replace(/\breport\.\d+/g, 'report.N')
      .replace(/\/proc\/\d+/g, '/proc/N')
      .replace(/(socket|pipe):\[\d+\]/g, '$1')
  }

  /** What each probe saw when it was started, in no order. */
  get reports(): string[] {
    const queue = join(this.directory, 'q')
    const names = readdirSync(queue).filter((name) => name.startsWith('report.'))
    const texts = names.map((name) => readFileSync(join(queue, name), 'latin1'))
    return texts.map((text) => this.comparable(text).replace(/^.* (\d+ -> )/gm, 'fd $1')).sort()
  }

  async client(path: string): Promise<ByteStream> {
    const where = { family: 'unix', path: join(this.directory, 'q', path) } as const
    const stream = await connectStream(where, { timeoutMs: 10_000 })
    this.#test.teardown(() => {
      stream.close()
    })
    return stream
  }
}
