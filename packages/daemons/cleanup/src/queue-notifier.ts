/**
 * queue-notifier - wakes qmgr(8) when there is new mail
 *
 * One trigger for all messages that became complete in one turn of the event loop; nobody waits for it. When qmgr(8)
 * cannot be reached the mail is found at its next scan of the incoming queue.
 */
import { log } from '@posthorn/log/log'
import { errorReason } from '@posthorn/native/system-error'

export class QueueNotifier {
  readonly #path: string
  readonly #wake: (path: string) => Promise<void>
  #isPending = false

  /** @param path as in `public/qmgr` */
  constructor(path: string, wake: (path: string) => Promise<void>) {
    this.#path = path
    this.#wake = wake
  }

  messageQueued(): void {
    if (this.#isPending) return
    this.#isPending = true
    setImmediate(() => {
      this.#isPending = false
      this.#wake(this.#path).catch((error: unknown) => {
        log.warning(`unable to look up ${this.#path}: ${errorReason(error)}`)
      })
    })
  }
}
