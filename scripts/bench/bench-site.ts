/**
 * bench-site - the directory of a benchmark run, the systems in it, and everything that must end with it
 *
 * Whatever is started is owned here, so that an interrupt can end what a run in the middle has left.
 */
import { chmod, mkdir, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa } from 'execa'
import { Instance, type System } from '../instance.ts'
import { LoopbackSink, type LoopbackSinkOptions } from './loopback-sink.ts'

/** On a disk: /tmp may be memory, where fsync costs nothing. */
const PLACE = '/var/tmp/posthorn-bench-'
const DRAIN_LIMIT_MS = 180_000
/** How long a process may take to end when it is asked to. */
const TERM_MS = 5000

export interface SystemOptions {
  /** From newDirectory(); for settings that name it. */
  readonly directory?: string
  readonly main?: Readonly<Record<string, string>>
  readonly master?: readonly string[]
  readonly smtpdClients?: number
  readonly resolvConf?: string
  /** The caller starts the system itself. */
  readonly isLeftStopped?: boolean
}

type Stop = () => Promise<unknown>

export class BenchSite {
  readonly directory: string
  readonly #owned = new Set<Stop>()
  #runs = 0
  #isClosing = false

  private constructor(directory: string) {
    this.directory = directory
  }

  /**
   * ext4 makes a file the slower the more files were removed nearby in the last minutes, which is what a mail queue does all
   * day. Each system pays for its own, those of its earlier runs too, as a server does that has been up for a while, but not
   * for the other's: with this attribute their directories are far from each other on the disk (chattr(1); other file
   * systems have none). What the bench itself would remove stays until the last run is over.
   */
  static async open(): Promise<BenchSite> {
    const directory = await mkdtemp(PLACE)
    await chmod(directory, 0o755)
    await execa('chattr', ['+T', directory], { reject: false })
    for (const system of ['postfix', 'posthorn'] satisfies System[])
      await mkdir(join(directory, system))
    return new BenchSite(directory)
  }

  get isClosing(): boolean {
    return this.#isClosing
  }

  /** Does `work` with something that must be stopped afterwards, also when the run is interrupted. */
  async using<Value>(stop: Stop, work: () => Promise<Value>): Promise<Value> {
    // Once, however many ask: an interrupt may come while the work is ending by itself.
    let stopping: Promise<unknown> | undefined
    const stopOnce = async (): Promise<unknown> => (stopping ??= stop())
    this.#owned.add(stopOnce)
    try {
      if (this.#isClosing) throw new Error('Cannot go on: the run is being interrupted')
      return await work()
    } finally {
      await stopOnce()
      this.#owned.delete(stopOnce)
    }
  }

  /** A destination in this process, for the time of `work`. */
  async withSink<Value>(
    options: LoopbackSinkOptions,
    work: (sink: LoopbackSink) => Promise<Value>,
  ): Promise<Value> {
    const sink = await LoopbackSink.start(options)
    return this.using(
      async () => sink.stop(),
      async () => work(sink),
    )
  }

  /** A directory that no run had before. */
  newDirectory(system: System): string {
    this.#runs += 1
    return join(this.directory, system, String(this.#runs))
  }

  /** A new instance of either system, with an empty queue, for the time of `work`. */
  async withSystem<Value>(
    system: System,
    options: SystemOptions,
    work: (instance: Instance) => Promise<Value>,
  ): Promise<Value> {
    const { isLeftStopped = false, ...settings } = options
    const { directory = this.newDirectory(system) } = options
    const instance = await Instance.create({
      ...settings,
      directory,
      commands: system,
      daemons: system,
      owner: 'postfix',
    })
    const stop = async (): Promise<void> => {
      await instance.stop()
      // its files stay until all runs are over, see open()
    }
    return this.using(stop, async () => {
      if (!isLeftStopped) await instance.start()
      return work(instance)
    })
  }

  /** Ends what is left, youngest first, and removes the directory. */
  async close(): Promise<void> {
    this.#isClosing = true
    for (const stop of [...this.#owned].reverse()) await stop().catch(() => undefined)
    await endProcesses(`${this.directory}/`)
    await rm(this.directory, { recursive: true, force: true, maxRetries: 5 })
  }
}

/** Processes, other than this one, that have the path in their command line. */
async function processesWith(path: string): Promise<number[]> {
  const found: number[] = []
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name) || Number(name) === process.pid) continue
    const commandLine = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')
    if (commandLine.includes(path)) found.push(Number(name))
  }
  return found
}

/**
 * Ends what "postfix stop" did not: an interrupt at the terminal goes to that command, too, and to a start that is
 * under way. The path is that of this run alone. What master(8) has started ends with it.
 */
async function endProcesses(path: string): Promise<void> {
  const killAt = Date.now() + TERM_MS
  await waitFor(
    async () => {
      const left = await processesWith(path)
      for (const pid of left) {
        try {
          process.kill(pid, Date.now() < killAt ? 'SIGTERM' : 'SIGKILL')
        } catch {
          // It has just ended by itself.
        }
      }
      return left.length === 0
    },
    `the processes of ${path} to end`,
    2 * TERM_MS,
  )
}

/** Waits until no message is left in the queue. */
export async function drained(instance: Instance): Promise<void> {
  await waitFor(
    async () => (await instance.queued()).length === 0,
    `the queue of ${instance.commands} to drain`,
    DRAIN_LIMIT_MS,
  )
}

/** The services of a master.cf, a line for each, with its continuation lines joined. */
export async function servicesOf(path: string): Promise<string[]> {
  const services: string[] = []
  for (const line of (await readFile(path, 'utf8')).split('\n')) {
    if (line.trim() === '' || line.startsWith('#')) continue
    const last = services.at(-1)
    if (/^\s/.test(line) && last !== undefined)
      services[services.length - 1] = `${last} ${line.trim()}`
    else services.push(line)
  }
  return services
}
