/**
 * load - the real smtp-source and smtp-sink as load and as destination
 *
 * Both come with Postfix. As root, smtp-sink wants a user to become; any that exists will do.
 */
import { existsSync } from 'node:fs'
import { mkdtemp, readFile, rm, chmod } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { freePort } from '@posthorn/testing/free-port'
import { waitFor } from '@posthorn/testing/wait-for'
import { execa, type ResultPromise } from 'execa'

export interface SourceOptions {
  readonly port: number
  readonly messages: number
  readonly sessions: number
  readonly sizeBytes?: number
  readonly to?: string
  readonly from?: string
  /** Send message after message on one connection. */
  readonly keepsConnection?: boolean
  readonly recipients?: number
  /** Number the recipients, so that caches do not hit always. */
  readonly numbersRecipients?: boolean
}

const SOURCE_LIMIT_MS = 180_000

/** Sends the load and returns when every message was accepted. */
export async function smtpSource(options: SourceOptions): Promise<void> {
  await execa(
    'smtp-source',
    [
      ...['-s', String(options.sessions), '-m', String(options.messages)],
      ...['-l', String(options.sizeBytes ?? 1024)],
      ...['-f', options.from ?? 'sender@example.test', '-t', options.to ?? 'user@remote.test'],
      ...(options.keepsConnection === true ? ['-d'] : []),
      ...(options.recipients === undefined ? [] : ['-r', String(options.recipients)]),
      ...(options.numbersRecipients === true ? ['-N'] : []),
      `127.0.0.1:${options.port}`,
    ],
    { timeout: SOURCE_LIMIT_MS },
  )
}

/** A running smtp-sink that can say how many messages and sessions it has seen. */
export class SmtpSink {
  readonly port: number
  readonly #process: ResultPromise
  readonly #dump: string | undefined
  #output = ''

  private constructor(port: number, child: ResultPromise, dump: string | undefined) {
    this.port = port
    this.#process = child
    this.#dump = dump
    child.stdout?.on('data', (chunk: Buffer) => {
      // The counters are rewritten in place, so only the end matters.
      this.#output = (this.#output + chunk.toString('latin1')).slice(-200)
    })
    child.catch(() => undefined)
  }

  /** @param options `keepsMessages`: dump every transaction to one file, for `messages()` */
  static async start(
    options: { keepsMessages?: boolean; args?: readonly string[]; port?: number } = {},
  ): Promise<SmtpSink> {
    const port = options.port ?? (await freePort())
    const isRoot = process.getuid?.() === 0
    let dump: string | undefined
    if (options.keepsMessages === true) {
      const folder = await mkdtemp(join(tmpdir(), 'posthorn-sink-'))
      await chmod(folder, 0o777)
      dump = join(folder, 'messages')
    }
    const child = execa(
      'smtp-sink',
      [
        '-c',
        ...(isRoot ? ['-u', existsSync('/etc/postfix') ? 'postfix' : 'nobody'] : []),
        ...(dump === undefined ? [] : ['-D', dump]),
        ...(options.args ?? []),
        `127.0.0.1:${port}`,
        '1000',
      ],
      { stdout: 'pipe', stderr: 'inherit', buffer: false },
    )
    const sink = new SmtpSink(port, child, dump)
    await waitFor(async () => {
      return new Promise<boolean>((resolve) => {
        const probe = connect(port, '127.0.0.1')
        probe.once('connect', () => {
          probe.destroy()
          resolve(true)
        })
        probe.once('error', () => {
          resolve(false)
        })
      })
    }, 'smtp-sink to listen')
    return sink
  }

  /** Sessions, QUITs and messages so far, as the sink counts them. */
  counters(): { sessions: number; quits: number; messages: number } {
    const last = /sess=(\d+) quit=(\d+) mesg=(\d+)(?!.*sess=)/s.exec(this.#output)
    return {
      sessions: Number(last?.[1] ?? 0),
      quits: Number(last?.[2] ?? 0),
      messages: Number(last?.[3] ?? 0),
    }
  }

  /** Everything received, as the sink dumped it; only with `keepsMessages`. */
  async messages(): Promise<string> {
    return this.#dump === undefined ? '' : readFile(this.#dump, 'latin1')
  }

  async stop(): Promise<void> {
    this.#process.kill('SIGTERM')
    await this.#process.catch(() => undefined)
    if (this.#dump !== undefined) await rm(join(this.#dump, '..'), { recursive: true, force: true })
  }
}
