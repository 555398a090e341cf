/**
 * delivery-lab - what the SMTP client needs for a delivery, without master, queue manager, bounce(8), DNS and network
 *
 * Queue files are real ones in a directory of their own, which becomes the working directory of the process; the records of
 * bounce(8), defer and trace stay in memory, and so does the log.
 */
import { mkdirSync, mkdtempSync, readSync, rmSync, writeFileSync, writeSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MainConfig } from '@posthorn/config/main-config'
import { createDeliveryContext, type DeliveryContext } from '@posthorn/delivery/delivery-context'
import { DeliveryJob } from '@posthorn/delivery/delivery-job'
import type { LogSink } from '@posthorn/log/log-sink'
import { useSinks } from '@posthorn/log/log'
import { OpenQueueFile } from '@posthorn/queue/open-queue-file'
import { parseQueueId } from '@posthorn/queue/queue-id'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { deliveryRequest } from '@posthorn/testing/delivery-request'
import { DELIVERY_FLAGS, noStats } from '@posthorn/wire/delivery-request'
import type { Protocol } from '../../packages/daemons/smtp/src/client-options.ts'
import { openClientTables } from '../../packages/daemons/smtp/src/client-tables.ts'
import { IdleSessions } from '../../packages/daemons/smtp/src/idle-sessions.ts'
import { openSasl } from '../../packages/daemons/smtp/src/open-security.ts'
import { SessionCache } from '../../packages/daemons/smtp/src/session-cache.ts'
import type { SmtpClient } from '../../packages/daemons/smtp/src/smtp-client.ts'
import { startClient } from '../../packages/daemons/smtp/src/start-client.ts'

const RECIPIENTS_LIMIT = 4
const IDLE_MS = 3_600_000
const { success, connectionLoad, connectionStore, mtaVerify } = DELIVERY_FLAGS

/** A text as its queue file has it. */
export interface StoredText {
  readonly file: OpenQueueFile
  /** As the server is to have it. */
  readonly content: string
  readonly dataOffset: number
  /** Of the recipients in the file. */
  readonly offsets: readonly number[]
  /** The records of the recipients, none marked. */
  readonly envelope: string
}

export class DeliveryLab {
  readonly #directory: string
  readonly #home = process.cwd()
  readonly #context: DeliveryContext
  readonly #sinks: LogSink[]
  readonly #files: OpenQueueFile[] = []
  /** Log lines since forget(). */
  log: string[] = []
  /** What bounce(8) and the others were told since forget(): names and texts. */
  records: string[] = []

  constructor() {
    this.#directory = mkdtempSync(join(tmpdir(), 'fuzz-'))
    process.chdir(this.#directory)
    mkdirSync('active')
    const write = (_severity: unknown, text: string): void => {
      this.log.push(text)
    }
    this.#sinks = useSinks([{ write, flush: () => true, close: () => undefined }])
    this.#context = {
      ...createDeliveryContext(this.#config({})),
      records: {
        append: async (log, _flags, _queueId, recipient, dsn) => {
          this.records.push(`${log} ${recipient.recipient}`, ...Object.values(dsn))
          return Promise.resolve(true)
        },
        updateVerify: async (address, status, text) => {
          this.records.push(`verify ${address} ${status}`, text)
          return Promise.resolve(true)
        },
        addToFlush: async () => Promise.resolve(),
      },
    }
  }

  forget(): void {
    this.log = []
    this.records = []
  }

  /** Connections that are kept stay in this client's memory. */
  async client(protocol: Protocol, settings: Record<string, string>): Promise<SmtpClient> {
    const config = this.#config(settings)
    const { tables } = openClientTables(config, protocol)
    const sasl = await openSasl(config, protocol)
    const args: string[] = []
    const start = { config, protocol, serviceName: protocol, args, concurrency: 1, tables, sasl }
    const client = await startClient(start)
    const { options } = client
    return {
      ...client,
      options: { ...options, pixDelayMs: 0 },
      cache: new SessionCache({
        labels: options.labels,
        ttlSeconds: options.cacheTtlSeconds,
        scache: undefined,
        idle: new IdleSessions(RECIPIENTS_LIMIT, IDLE_MS),
        probe: async () => Promise.resolve(false),
      }),
    }
  }

  /** Lines of at most 998 octets, without their ends. */
  store(lines: readonly string[]): StoredText {
    const name = `F${String(this.#files.length + 1).padStart(9, '0')}`
    let octets = ''
    const offsets = Array.from({ length: RECIPIENTS_LIMIT }, () => {
      const at = octets.length
      octets += encodeRecord(RECORD.recipient, 'to@a.test')
      return at
    })
    const envelope = octets
    octets += encodeRecord(RECORD.message)
    const dataOffset = octets.length
    octets += lines.map((line) => encodeRecord(RECORD.line, line)).join('')
    octets += encodeRecord(RECORD.extracted) + encodeRecord(RECORD.end)
    writeFileSync(`active/${name}`, octets, { encoding: 'latin1', mode: 0o700 })
    const file = OpenQueueFile.open(this.#context.layout, 'active', parseQueueId(name), 'shared')
    if (file === undefined) throw new Error('Cannot open the queue file that was just written')
    this.#files.push(file)
    const content = lines.map((line) => `${line}\r\n`).join('')
    return { file, content, dataOffset, offsets, envelope }
  }

  /** A probe asks whether there is such a recipient, and delivers nothing. */
  job(
    text: StoredText,
    sender: string,
    addresses: readonly string[],
    isProbe: boolean,
  ): DeliveryJob {
    const now = Date.now()
    const request = deliveryRequest({
      flags: success | connectionLoad | connectionStore | (isProbe ? mtaVerify : 0),
      dataOffset: text.dataOffset,
      sizeBytes: text.content.length,
      nexthop: 'peer.test',
      encoding: '7bit',
      sender,
      stats: { ...noStats, arrivalMs: now - IDLE_MS, activeMs: now },
    })
    const recipients = addresses.map((recipient, at) => ({
      recipient,
      originalRecipient: '',
      dsnOriginalRecipient: '',
      notifyFlags: 0,
      offset: text.offsets[at] ?? -1,
    }))
    return new DeliveryJob(this.#context, request, recipients, text.file)
  }

  /** Which recipients are marked as done in the queue file; afterwards none is. */
  takeMarks({ file, offsets, envelope }: StoredText): boolean[] {
    const octets = Buffer.alloc(envelope.length)
    readSync(file.fd, octets, 0, octets.length, 0)
    const now = octets.toString('latin1')
    if (now !== envelope) writeSync(file.fd, envelope, 0, 'latin1')
    return offsets.map((offset) => now.charAt(offset) === RECORD.done)
  }

  close(): void {
    for (const file of this.#files) file.close()
    useSinks(this.#sinks)
    process.chdir(this.#home)
    rmSync(this.#directory, { recursive: true, force: true })
  }

  #config(settings: Record<string, string>): MainConfig {
    return MainConfig.of({
      myhostname: 'client.test',
      queue_directory: this.#directory,
      inet_interfaces: '127.0.0.99',
      ...settings,
    })
  }
}
