/**
 * test-world - for tests: one delivery by the SMTP client, without master, queue manager and bounce(8)
 *
 * Makes a queue file in a directory of its own, runs the agent on it, and says what was logged and recorded. The
 * process changes its working directory to that of the test.
 */
/* eslint-disable n/no-sync -- a test waits for nobody else */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { deliveryRequest } from '@posthorn/testing/delivery-request'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { MainConfig } from '@posthorn/config/main-config'
import type { DeliveryContext } from '@posthorn/delivery/delivery-context'
import { createDeliveryContext } from '@posthorn/delivery/delivery-context'
import { DeliveryJob } from '@posthorn/delivery/delivery-job'
import { captureLog } from '@posthorn/log/capture-log'
import { OpenQueueFile } from '@posthorn/queue/open-queue-file'
import { parseQueueId } from '@posthorn/queue/queue-id'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import {
  DELIVERY_FLAGS,
  noStats,
  type DeliveryRequest,
  type HopStatus,
  type Recipient,
} from '@posthorn/wire/delivery-request'
import type { SessionStore } from '@posthorn/tls/session-store'
import type { Protocol } from '../client-options.ts'
import { SmtpAgent } from '../smtp-agent.ts'
import { openClientTables } from '../client-tables.ts'
import { openSasl, openTls } from '../open-security.ts'
import type { ClientTables, SmtpClient } from '../smtp-client.ts'
import { startClient } from '../start-client.ts'

export const QUEUE_ID = '0123456789A'

export interface Outcome {
  /** Log lines, delays replaced by `-`. */
  log: string[]
  /** `bounce a@b 5.1.1`, in order. */
  records: string[]
  hopStatus: HopStatus | undefined
  isFinished: boolean
  /** Addresses of recipients that are marked done in the queue file. */
  done: string[]
}

export interface Mail {
  nexthop: string
  sender?: string
  recipients?: readonly (string | Partial<Recipient>)[]
  /** Lines; the content of the message. */
  lines?: readonly string[]
  /** Records of the content, instead of lines. */
  content?: string
  request?: Partial<DeliveryRequest>
}

export class TestWorld {
  readonly client: SmtpClient
  readonly #context: DeliveryContext
  readonly #records: string[] = []

  private constructor(client: SmtpClient, config: MainConfig) {
    this.client = client
    this.#context = {
      ...createDeliveryContext(config),
      records: {
        append: async (log, _flags, _queueId, recipient, dsn) => {
          this.#records.push(`${log} ${recipient.recipient} ${dsn.status} ${dsn.action}`)
          return Promise.resolve(true)
        },
        updateVerify: async (address, status) => {
          this.#records.push(`verify ${address} ${status}`)
          return Promise.resolve(true)
        },
        addToFlush: async () => Promise.resolve(),
      },
    }
  }

  static async start(
    test: { teardown: (undo: () => unknown) => unknown },
    settings: Record<string, string> = {},
    options: {
      protocol?: Protocol
      concurrency?: number
      args?: string[]
      tables?: ClientTables
      sessions?: SessionStore
    } = {},
  ): Promise<TestWorld> {
    const directory = temporaryDirectory(test)
    process.chdir(directory)
    mkdirSync('active')
    const config = MainConfig.of({
      myhostname: 'client.test',
      queue_directory: directory,
      smtp_randomize_addresses: 'no',
      inet_interfaces: '127.0.0.99',
      ...settings,
    })
    const { protocol = 'smtp', sessions } = options
    const opened = openClientTables(config, protocol)
    const client = await startClient({
      config,
      protocol,
      serviceName: protocol,
      tls: await openTls(config, protocol, opened.tls, sessions && (() => sessions)),
      sasl: await openSasl(config, protocol),
      args: options.args ?? [],
      concurrency: options.concurrency ?? 1,
      tables: options.tables ?? { requireTls: opened.tables.requireTls },
    })
    return new TestWorld(client, config)
  }

  async deliver(mail: Mail): Promise<Outcome> {
    const { request, recipients } = this.#writeQueueFile(mail)
    const file = OpenQueueFile.open(
      this.#context.layout,
      'active',
      parseQueueId(QUEUE_ID),
      'shared',
    )
    if (file === undefined) throw new Error('Cannot open the queue file that was just written')
    const captured = captureLog()
    this.#records.length = 0
    try {
      const job = new DeliveryJob(this.#context, request, recipients, file)
      const hopStatus = await new SmtpAgent(this.client).deliver(job)
      return {
        log: captured.lines.map((line) => line.replace(/, delay=[^,]*, delays=[^,]*/, '')),
        records: [...this.#records],
        hopStatus,
        isFinished: job.isFinished,
        done: recipients.filter((one) => isDone(one)).map((one) => one.recipient),
      }
    } finally {
      file.close()
      captured.restore()
    }
  }

  #writeQueueFile(mail: Mail): { request: DeliveryRequest; recipients: Recipient[] } {
    let octets = ''
    const recipients = (mail.recipients ?? ['to@example.test']).map((given) => {
      const fields = typeof given === 'string' ? { recipient: given } : given
      const offset = octets.length
      octets += encodeRecord(RECORD.recipient, fields.recipient ?? '')
      return {
        recipient: '',
        originalRecipient: '',
        dsnOriginalRecipient: '',
        notifyFlags: 0,
        ...fields,
        offset,
      }
    })
    octets += encodeRecord(RECORD.message)
    const dataOffset = octets.length
    const content =
      mail.content ??
      (mail.lines ?? ['Subject: test', '', 'body'])
        .map((line) => encodeRecord(RECORD.line, line))
        .join('')
    octets += content + encodeRecord(RECORD.extracted) + encodeRecord(RECORD.end)
    writeFileSync(`active/${QUEUE_ID}`, octets, { encoding: 'latin1', mode: 0o700 })
    const now = Date.now()
    const request = deliveryRequest({
      flags: DELIVERY_FLAGS.success,
      queueId: QUEUE_ID,
      dataOffset,
      sizeBytes: content.length,
      nexthop: mail.nexthop,
      encoding: '7bit',
      sender: mail.sender ?? 'from@example.test',
      stats: { ...noStats, arrivalMs: now, activeMs: now },
      ...mail.request,
    })
    return { request, recipients }
  }
}

function isDone(recipient: Recipient): boolean {
  return readFileSync(`active/${QUEUE_ID}`, 'latin1').charAt(recipient.offset) === RECORD.done
}
