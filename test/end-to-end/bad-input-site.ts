/**
 * bad-input-site - a mail system for the tests that mistreat one, and the questions they all ask
 *
 * What must hold whatever comes in: no daemon crashes, mail of others goes through meanwhile and afterwards.
 * BAD_INPUT_SYSTEM=postfix runs the same tests against the real Postfix: what we take for its replies and log
 * lines is then checked on itself. Needs root.
 */
import { execFileSync } from 'node:child_process'
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { SmtpClient } from '@posthorn/testing/smtp-client'
import { SmtpSink } from '@posthorn/testing/smtp-sink'
import { waitFor } from '@posthorn/testing/wait-for'
import { Instance, type System } from '../../scripts/instance.ts'

export const SYSTEM: System = process.env['BAD_INPUT_SYSTEM'] === 'postfix' ? 'postfix' : 'posthorn'

/** Lines that no input may cause. */
const CRASHES = /(?:panic: |fatal: |killed by signal|exit status [1-9]|throttling|watchdog).*/

const DELIVERY_LIMIT_MS = 20_000

export interface SiteOptions {
  readonly main?: Readonly<Record<string, string>>
  readonly master?: readonly string[]
  /** Between laying out the files and `postfix start`; what it returns is done after `postfix stop`. */
  readonly prepare?: (instance: Instance) => Promise<() => Promise<unknown>>
}

interface Test {
  teardown: (undo: () => unknown) => unknown
}

export class Site {
  readonly instance: Instance
  /** Where mail for everybody else goes. */
  readonly sink: SmtpSink
  #probes = 0

  private constructor(instance: Instance, sink: SmtpSink) {
    this.instance = instance
    this.sink = sink
  }

  /** Lays the files out; the directory is gone, and what was started has ended, when the test is over. */
  static async create(t: Test, options: SiteOptions = {}): Promise<Site> {
    const directory = await mkdtemp(join(tmpdir(), 'ph-bad-'))
    await chmod(directory, 0o755)
    const sink = await SmtpSink.start()
    const instance = await Instance.create({
      directory: join(directory, 'i'),
      commands: SYSTEM,
      daemons: SYSTEM,
      owner: 'postfix',
      main: {
        relayhost: `[127.0.0.1]:${sink.port}`,
        smtpd_peername_lookup: 'no',
        smtpd_error_sleep_time: '0',
        minimal_backoff_time: '1s',
        maximal_backoff_time: '2s',
        queue_run_delay: '1s',
        transport_retry_time: '1s',
        service_throttle_time: '1s',
        ...options.main,
      },
      ...(options.master === undefined ? {} : { master: options.master }),
    })
    const undoings: (() => Promise<unknown>)[] = []
    t.teardown(async () => {
      await instance.stop()
      await sink.close()
      for (const undo of undoings) await undo()
      await rm(directory, { recursive: true, force: true })
    })
    if (options.prepare !== undefined) undoings.push(await options.prepare(instance))
    return new Site(instance, sink)
  }

  static async start(t: Test, options: SiteOptions = {}): Promise<Site> {
    const site = await Site.create(t, options)
    await site.instance.start()
    return site
  }

  async log(): Promise<string> {
    return this.instance.log()
  }

  /** The first line that matches, once there is one. @throws {Error} none came; it quotes the log's end */
  async waitForLog(pattern: RegExp, timeoutMs = 10_000): Promise<string> {
    try {
      return await waitFor(
        async () => (await this.log()).split('\n').find((line) => pattern.test(line)),
        `the log line ${String(pattern)}`,
        timeoutMs,
      )
    } catch (error) {
      const tail = (await this.log()).split('\n').slice(-25).join('\n')
      throw new Error(`${String(error)}\n${tail}`, { cause: error })
    }
  }

  /** Lines about daemons that ended badly; `expected` takes out those that the test has asked for. */
  async crashes(expected?: RegExp): Promise<string[]> {
    const lines = (await this.log()).split('\n')
    return lines.filter((line) => CRASHES.test(line) && expected?.test(line) !== true)
  }

  /** Sends one message through the whole system and waits until it has arrived. */
  async probe(): Promise<void> {
    const subject = `probe ${++this.#probes}`
    const client = await SmtpClient.open(this.instance.smtpPort)
    await client.say('EHLO probe.test', '250')
    await client.send('probe@example.test', ['user@probe.test'], `Subject: ${subject}\r\n\r\nhello`)
    await client.quit()
    await this.arrival(subject)
  }

  async arrival(subject: string): Promise<void> {
    const wanted = `Subject: ${subject}\r\n`
    await waitFor(
      () => this.sink.messages.some(({ content }) => content.includes(wanted)),
      `the message "${subject}"`,
      DELIVERY_LIMIT_MS,
    ).catch(async (error: unknown) => {
      const tail = (await this.log()).split('\n').slice(-25).join('\n')
      throw new Error(`${String(error)}\n${tail}`, { cause: error })
    })
  }

  /** Processes of one daemon of this instance. */
  pids(daemon: string): number[] {
    const output = execFileSync('ps', ['-eo', 'pid=,args='], { encoding: 'latin1' })
    const path = join(this.instance.directory, 'libexec', daemon)
    return output
      .split('\n')
      .filter((line) => line.includes(` ${path} `) || line.endsWith(` ${path}`))
      .map((line) => Number.parseInt(line, 10))
  }
}

/** Resident memory of a process in megabytes; 0 when it is gone. */
export async function residentMegabytes(pid: number): Promise<number> {
  const status = await readFile(`/proc/${pid}/status`, 'latin1').catch(() => '')
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1] ?? 0) / 1024
}
