/**
 * queue-notifier - wakes qmgr(8) when there is new mail
 *
 * One trigger for all messages that became complete in one turn of the event loop; nobody waits for it. When qmgr(8)
 * cannot be reached the mail is found at its next scan of the incoming queue.
 */
import { log } from '@posthorn/log/log'

export class QueueNotifier {
  readonly #wake: () => Promise<void>
  #isPending = false

  constructor(wake: () => Promise<void>) {
    this.#wake = wake
  }

  messageQueued(): void {
    if (this.#isPending) return
    this.#isPending = true
    setImmediate(() => {
      this.#isPending = false
      this.#wake().catch((error: unknown) => {
        const reason = error instanceof Error ? error.message : String(error)
        log.warning(`cannot wake up the queue manager: ${reason}`)
      })
    })
  }
}
