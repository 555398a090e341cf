/**
 * address-cache - which addresses are deliverable, for how long we believe it, and when to ask again
 *
 * A result is believed until it expires. Some time before, its address is probed again, while the old answer still
 * goes out. A probe that brings no result within 1000 seconds is given up for lost. A failed probe does not
 * replace a good result that is still believed.
 *
 * Source: Postfix 3.7 verify(8), postconf(5).
 */
import { log } from '@posthorn/log/log'
import { RECIPIENT_STATUS } from '@posthorn/wire/verify-protocol'
import type { CacheFile } from '@posthorn/tables/cache-file'
import { formatVerifyEntry, parseVerifyEntry, type VerifyEntry } from './verify-entry.ts'

export interface AddressCacheOptions {
  readonly positiveExpireSeconds: number
  readonly positiveRefreshSeconds: number
  readonly negativeExpireSeconds: number
  readonly negativeRefreshSeconds: number
  /** address_verify_negative_cache: also remember that a probe for an unknown address is under way */
  readonly keepsNegative: boolean
  /** the wall clock in ms */
  readonly now?: () => number
}

export interface AddressAnswer {
  /** RECIPIENT_STATUS */
  readonly status: number
  readonly text: string
  /** call probeSent() when a probe is on its way */
  readonly needsProbe: boolean
}

const probeLifeSeconds = 1000
const inProgress = 'Address verification in progress'
const lastCleanupKey = '_LAST_CACHE_CLEANUP_COMPLETED_'
const { ok, todo } = RECIPIENT_STATUS

export class AddressCache {
  readonly #file: CacheFile
  readonly #options: AddressCacheOptions
  readonly #now: () => number

  constructor(file: CacheFile, options: AddressCacheOptions) {
    this.#file = file
    this.#options = options
    this.#now = options.now ?? Date.now
  }

  query(key: string): AddressAnswer {
    const now = this.#seconds()
    const { status, probedSeconds, updatedSeconds, text } = this.#believed(key, now)
    const { positiveRefreshSeconds, negativeRefreshSeconds } = this.#options
    const refreshSeconds = status === ok ? positiveRefreshSeconds : negativeRefreshSeconds
    const needsProbe =
      now - probedSeconds > probeLifeSeconds && updatedSeconds + refreshSeconds < now
    return { status, text, needsProbe }
  }

  /** The time stamp of the probe; give it to probeFailed() if it comes to that. */
  probeSent(key: string): number {
    const now = this.#seconds()
    const entry = this.#believed(key, now)
    if (entry.updatedSeconds !== 0 || this.#options.keepsNegative) {
      this.#put(key, { ...entry, probedSeconds: now })
    }
    return now
  }

  /** The probe could not be posted: the next query may try again. */
  probeFailed(key: string, sentAtSeconds: number): void {
    const entry = this.#find(key)
    if (entry?.probedSeconds !== sentAtSeconds) return
    if (entry.updatedSeconds === 0) this.#file.delete(key)
    else this.#put(key, { ...entry, probedSeconds: 0 })
  }

  /** The result of a probe, or of a delivery. */
  update(key: string, status: number, text: string): void {
    const now = this.#seconds()
    if (status !== ok && this.#believed(key, now).status === ok) return
    this.#put(key, { status, probedSeconds: 0, updatedSeconds: now, text })
  }

  /** Removes what has expired, and says how many entries were kept and how many were not. */
  async cleanUp(): Promise<{ retained: number; dropped: number }> {
    const now = this.#seconds()
    let dropped = 0
    let count = 0
    for (const [key] of this.#file.entries()) {
      count += 1
      // other clients have their turn
      if (count % 10_000 === 0) await new Promise((resolve) => setImmediate(resolve))
      if (key === lastCleanupKey) continue
      const entry = this.#find(key)
      const isAlive =
        entry !== undefined &&
        (!this.#isExpired(entry, now) || now - entry.probedSeconds <= probeLifeSeconds)
      if (isAlive) continue
      this.#file.delete(key)
      dropped += 1
    }
    this.#file.set(lastCleanupKey, String(now))
    await this.#file.compact()
    return { retained: this.#file.size - 1, dropped }
  }

  /** Seconds since the last cleanUp() of this file, Infinity if there was none. */
  secondsSinceCleanUp(): number {
    const at = Number(this.#file.find(lastCleanupKey) ?? NaN)
    return Number.isNaN(at) ? Infinity : this.#seconds() - at
  }

  #seconds(): number {
    return Math.floor(this.#now() / 1000)
  }

  #find(key: string): VerifyEntry | undefined {
    const raw = key === lastCleanupKey ? undefined : this.#file.find(key)
    if (raw === undefined) return undefined
    const entry = parseVerifyEntry(raw)
    if (entry === undefined) log.warning(`bad address verify table entry: ${raw.slice(0, 100)}`)
    return entry
  }

  /** The key with our own bookkeeping is no address. */
  #put(key: string, entry: VerifyEntry): void {
    if (key !== lastCleanupKey) this.#file.set(key, formatVerifyEntry(entry))
  }

  /** An expired result counts as none; the probe that may be under way still counts. */
  #believed(key: string, now: number): VerifyEntry {
    const entry = this.#find(key)
    if (entry !== undefined && !this.#isExpired(entry, now)) return entry
    return {
      status: todo,
      probedSeconds: entry?.probedSeconds ?? 0,
      updatedSeconds: 0,
      text: inProgress,
    }
  }

  #isExpired({ status, updatedSeconds }: VerifyEntry, now: number): boolean {
    const { positiveExpireSeconds, negativeExpireSeconds } = this.#options
    return updatedSeconds + (status === ok ? positiveExpireSeconds : negativeExpireSeconds) < now
  }
}
