/**
 * fetch-slots - how many policies are fetched at once
 *
 * Whoever mails to many domains with slow policy hosts makes others wait here, and no longer than `waitMs`: their mail is then tried again later.
 * Limits: `limit` at once, `waitingLimit` that wait.
 */
import { FetchesBusyError } from './mtasts-error.ts'

export interface FetchSlotsOptions {
  readonly limit: number
  readonly waitingLimit: number
  readonly waitMs: number
}

export class FetchSlots {
  readonly #options: FetchSlotsOptions
  readonly #waiting = new Set<() => void>()
  #taken = 0

  constructor(options: FetchSlotsOptions) {
    this.#options = options
  }

  /** Does it when there is room. @throws {FetchesBusyError} and what `work` throws */
  async run<Value>(work: () => Promise<Value>): Promise<Value> {
    if (this.#taken < this.#options.limit) this.#taken += 1
    else await this.#wait()
    try {
      return await work()
    } finally {
      this.#release()
    }
  }

  /** The slot goes over to the one that has waited longest. */
  #release(): void {
    const [next] = this.#waiting
    if (next === undefined) this.#taken -= 1
    else next()
  }

  async #wait(): Promise<void> {
    const { waitingLimit, waitMs } = this.#options
    if (this.#waiting.size >= waitingLimit) throw busy()
    return new Promise((resolve, reject) => {
      const take = (): void => {
        clearTimeout(timer)
        this.#waiting.delete(take)
        resolve()
      }
      const timer = setTimeout(() => {
        this.#waiting.delete(take)
        reject(busy())
      }, waitMs)
      this.#waiting.add(take)
    })
  }
}

function busy(): FetchesBusyError {
  return new FetchesBusyError('Cannot fetch policy now: too many others are being fetched')
}
