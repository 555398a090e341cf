/**
 * post-notice - hands a notice to cleanup(8), line by line
 *
 * The notice becomes ours when cleanup(8) says so; until then the log that it was made from stays.
 * Limits: 64 KB of records wait for cleanup(8); each wait takes ipc_timeout at most.
 */
import { quoteAddress } from '@posthorn/address/quote-address'
import { formatMailDate } from '@posthorn/message/mail-date'
import { formatLocalReceived } from '@posthorn/message/received'
import { beginInternalMail, END_OF_INTERNAL_MAIL } from '@posthorn/queue/internal-mail'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { CLEANUP_FLAGS, openCleanup } from '@posthorn/wire/cleanup-protocol'
import type { BounceSettings } from './bounce-settings.ts'

const PIECE_OCTETS = 64 * 1024

export interface NoticeEnvelope {
  /** Internal form; empty for notices to senders. */
  readonly sender: string
  /** Internal form. */
  readonly recipient: string
  readonly isUtf8: boolean
  /** REQUIRETLS */
  readonly requiresTls: boolean
}

/** What write() gets: lines without line ends. */
export class NoticeWriter {
  #records = ''
  readonly #send: (records: string) => Promise<void>

  constructor(send: (records: string) => Promise<void>) {
    this.#send = send
  }

  line(text: string): void {
    this.#records += encodeRecord(RECORD.line, text)
  }

  /** A line that goes on with the next one. */
  part(text: string): void {
    this.#records += encodeRecord(RECORD.part, text)
  }

  record(octets: string): void {
    this.#records += octets
  }

  /** Await this after each part of unknown length. */
  async drain(): Promise<void> {
    if (this.#records.length >= PIECE_OCTETS) await this.flush()
  }

  async flush(): Promise<void> {
    const records = this.#records
    this.#records = ''
    if (records !== '') await this.#send(records)
  }
}

/** @returns the queue id of the notice. @throws {NoticeRefusedError} and whatever the connection throws */
export async function postNotice(
  settings: BounceSettings,
  envelope: NoticeEnvelope,
  write: (writer: NoticeWriter) => Promise<void>,
): Promise<string> {
  const session = await openCleanup(settings.cleanupPath, {
    flags:
      settings.cleanupFlags |
      (envelope.isUtf8 ? CLEANUP_FLAGS.smtpUtf8 : 0) |
      (envelope.requiresTls ? CLEANUP_FLAGS.requireTls : 0),
    timeoutMs: settings.timeoutMs,
  })
  try {
    const writer = new NoticeWriter(async (records) => {
      session.send(records)
      await session.ready()
    })
    const nowMs = Date.now()
    writer.record(beginInternalMail(envelope.sender, envelope.recipient))
    const { hostname, mailName } = settings
    const { queueId } = session
    formatLocalReceived({ hostname, mailName, queueId, timeMs: nowMs }).forEach((line) => {
      writer.line(line)
    })
    writer.line(`Date: ${formatMailDate(nowMs)}`)
    await write(writer)
    writer.record(END_OF_INTERNAL_MAIL)
    await writer.flush()
    const { status, reason } = await session.finish()
    if (status !== 0) {
      throw new NoticeRefusedError(
        `Cannot queue notice to <${quoteAddress(envelope.recipient)}>: ${reason}`,
      )
    }
    return queueId
  } catch (error) {
    session.cancel()
    throw error
  }
}

/** cleanup(8) did not take the notice; the log is kept for another attempt. */
export class NoticeRefusedError extends Error {
  readonly code = 'POSTHORN_NOTICE_REFUSED'
}
