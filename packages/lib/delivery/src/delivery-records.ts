/**
 * delivery-records - the services that keep the records of delivery: bounce, defer, trace, verify, flush
 *
 * One connection per record, as bounce(8) wants it. Every function says whether the record is safe; none throws:
 * a record that could not be made is an outcome, and the caller defers.
 * Source: Postfix 3.7 bounce(8), verify(8), flush(8).
 */
import { log } from '@posthorn/log/log'
import { printable } from '@posthorn/log/printable'
import { AppendRequest, sendBounceRequest } from '@posthorn/wire/bounce-protocol'
import type { DsnFields, Recipient } from '@posthorn/wire/delivery-request'
import { FLUSH_STATUS, sendFlushRequest } from '@posthorn/wire/flush-protocol'
import { VERIFY_STATUS, VerifyClient } from '@posthorn/wire/verify-protocol'

export interface RecordServices {
  /** `private/bounce` and so on. */
  bouncePath: string
  deferPath: string
  tracePath: string
  verifyPath: string
  flushPath: string
  timeoutMs: number
  idleMs: number
  ttlMs: number
}

export class DeliveryRecords {
  readonly #services: RecordServices
  #verify: VerifyClient | undefined

  constructor(services: RecordServices) {
    this.#services = services
  }

  /** Appends to the log `bounce/ID`, `defer/ID` or `trace/ID`. `flags` are the trace bits of the request. */
  async append(
    log: 'bounce' | 'defer' | 'trace',
    flags: number,
    queueId: string,
    recipient: Recipient,
    dsn: DsnFields,
  ): Promise<boolean> {
    const { bouncePath, deferPath, tracePath, timeoutMs } = this.#services
    const path = { bounce: bouncePath, defer: deferPath, trace: tracePath }[log]
    const request = { request: AppendRequest.request, flags, queueId, recipient, dsn }
    return attempt(path, async () => (await sendBounceRequest(path, request, { timeoutMs })) === 0)
  }

  /** Tells verify(8) what a probe found. `recipientStatus`: RECIPIENT_STATUS. */
  async updateVerify(address: string, recipientStatus: number, reason: string): Promise<boolean> {
    const { verifyPath, timeoutMs, idleMs, ttlMs } = this.#services
    this.#verify ??= new VerifyClient({ path: verifyPath, timeoutMs, idleMs, ttlMs })
    const client = this.#verify
    return attempt(
      verifyPath,
      async () => (await client.update(address, recipientStatus, reason)) === VERIFY_STATUS.ok,
    )
  }

  /** Mail for `site` waits: `ETRN site` will find it. What flush(8) thinks of it does not matter to delivery. */
  async addToFlush(site: string, queueId: string): Promise<void> {
    const { flushPath, timeoutMs } = this.#services
    await attempt(flushPath, async () => {
      const request = { request: 'add', site, queueId } as const
      return (await sendFlushRequest(flushPath, request, { timeoutMs })) === FLUSH_STATUS.ok
    })
  }

  close(): void {
    this.#verify?.close()
  }
}

async function attempt(path: string, work: () => Promise<boolean>): Promise<boolean> {
  try {
    return await work()
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error)
    log.warning(`problem talking to service ${path}: ${printable(reason)}`)
    return false
  }
}
