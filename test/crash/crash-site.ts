/**
 * crash-site - a mail system whose cleanup(8) is killed, and a server that gets what survives
 *
 * Every message says in its header who it is and how many lines it has, so that half a message would be noticed.
 */
import { chmod, mkdtemp, readdir, readFile, readlink, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { encodeRecord } from '@posthorn/queue/record'
import { SmtpSink } from '@posthorn/testing/smtp-sink'
import { waitFor } from '@posthorn/testing/wait-for'
import { CLEANUP_FLAGS } from '@posthorn/wire/cleanup-protocol'
import type { Test } from 'tap'
import { Instance, type System } from '../../scripts/instance.ts'

export const FLAGS = CLEANUP_FLAGS.filter | CLEANUP_FLAGS.map

const LINES = 40
const WAIT_MS = 20_000

export class CrashSite {
  readonly instance: Instance
  readonly sink: SmtpSink

  private constructor(instance: Instance, sink: SmtpSink) {
    this.instance = instance
    this.sink = sink
  }

  static async start(t: Test, system: System): Promise<CrashSite> {
    const directory = await mkdtemp(join(tmpdir(), 'crash-'))
    await chmod(directory, 0o755)
    const sink = await SmtpSink.start()
    const instance = await Instance.create({
      directory: join(directory, 'i'),
      commands: system,
      daemons: system,
      owner: 'postfix',
      main: {
        relayhost: `[127.0.0.1]:${sink.port}`,
        smtp_connection_cache_on_demand: 'no',
        service_throttle_time: '1s',
      },
    })
    t.teardown(async () => {
      await instance.stop()
      await sink.close()
      await rm(directory, { recursive: true, force: true })
    })
    await instance.start()
    return new CrashSite(instance, sink)
  }

  get cleanupPath(): string {
    return join(this.instance.queueDirectory, 'public/cleanup')
  }

  /** Pids of the cleanup(8) processes of this site, and of no other. */
  async cleanupPids(): Promise<number[]> {
    const found: number[] = []
    for (const name of await readdir('/proc')) {
      if (!/^\d+$/.test(name)) continue
      const line = await readFile(`/proc/${name}/cmdline`, 'latin1').catch(() => '')
      if (!/(?:^|[\0/])cleanup\0/.test(line)) continue
      const directory = await readlink(`/proc/${name}/cwd`).catch(() => '')
      if (directory === this.instance.queueDirectory) found.push(Number(name))
    }
    return found
  }

  /** SIGKILL to all of them; resolves when they are gone. */
  async killCleanup(): Promise<void> {
    for (const pid of await this.cleanupPids()) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
      }
    }
    await waitFor(async () => (await this.cleanupPids()).length === 0, 'cleanup to die', WAIT_MS)
  }

  /** Messages that the server got, by their X-Number. @throws {Error} one is not whole */
  delivered(): Map<string, number> {
    const counts = new Map<string, number>()
    for (const { content } of this.sink.messages) {
      const number = /^X-Number: (\S+)/m.exec(content)?.[1] ?? ''
      const lines = content.match(/^line \d+ of /gm)?.length ?? 0
      if (number === '' || lines !== LINES) throw new Error(`Half a message: ${content}`)
      counts.set(number, (counts.get(number) ?? 0) + 1)
    }
    return counts
  }

  /** Files in incoming that are not complete, which nobody may touch. */
  async leftovers(): Promise<string[]> {
    const found: string[] = []
    const incoming = join(this.instance.queueDirectory, 'incoming')
    for (const name of await readdir(incoming)) {
      const stats = await stat(join(incoming, name)).catch(() => undefined)
      if (stats !== undefined && (stats.mode & 0o100) === 0) found.push(join(incoming, name))
    }
    return found
  }

  async quiet(): Promise<void> {
    await waitFor(
      async () => (await this.instance.undelivered()).length === 0,
      'the queue to become empty',
      WAIT_MS,
    )
  }
}

/** The records of a message in the order of the conversation; each step is sent and waited for. */
export function messageSteps(number: string): string[] {
  const encode = (records: readonly string[]): string =>
    records.map((record) => encodeRecord(record.charAt(0), record.slice(1))).join('')
  const body = Array.from({ length: LINES }, (_, at) => `Nline ${at} of ${'x'.repeat(1000)}`)
  return [
    encode(['T1700000000 1', 'Sfrom@example.test']),
    encode(['Rto@remote.test', 'M']),
    encode(['NReceived: by test', `NX-Number: ${number}`, 'N']),
    encode(body.slice(0, LINES / 2)),
    encode(body.slice(LINES / 2)),
    encode(['X']),
    encode(['E']),
  ]
}
