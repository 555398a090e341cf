/**
 * policy-cache - the policies that we have, until they expire, across restarts
 *
 * A policy that enforces is worth keeping: while it is here, nobody who meddles with DNS or HTTPS can talk mail to its domain out of
 * TLS. So strangers who mail us to thousands of domains of theirs, with policies, must not push it out. When the cache is full,
 * and nothing in it has expired, the first of these that there is goes, the one not used for longest:
 *
 *     1. a policy that does not enforce
 *     2. for a newcomer that enforces: one that does, and that nobody has asked for but within a day of its arrival
 *     3. nothing: the newcomer serves those who ask now, and is not kept
 *
 * What mail goes to again and again is in neither group, and leaves when it expires. Domains without a policy are not in here.
 *
 * Limits: `entriesLimit` policies, each below 10 KB; twice, because the file has its own map.
 * Source: RFC 8461 3.3, 10.2.
 */
import type { CacheFile } from '@posthorn/tables/cache-file'
import { expirySeconds, formatEntry, parseEntry, type PolicyEntry } from './policy-entry.ts'

const DAY_SECONDS = 86_400
/** Lines of the journal for entries that are gone, before it is written anew; and twice as many as there are entries. */
const IDLE_LINES = 1000

export interface PolicyCacheOptions {
  readonly entriesLimit: number
  /** Seconds since 1970. */
  readonly now: () => number
}

export class PolicyCache {
  readonly #file: CacheFile
  readonly #options: PolicyCacheOptions
  readonly #entries = new Map<string, PolicyEntry>()
  #changes = 0

  /** `file`: loaded. The cache closes it. */
  constructor(file: CacheFile, options: PolicyCacheOptions) {
    this.#file = file
    this.#options = options
    for (const [domain, text] of file.entries()) {
      const entry = parseEntry(text)
      if (entry === undefined || this.#isExpired(entry)) this.#remove(domain)
      else this.#entries.set(domain, entry)
    }
  }

  get size(): number {
    return this.#entries.size
  }

  /** undefined: none, or it has expired. */
  find(domain: string): PolicyEntry | undefined {
    const entry = this.#entries.get(domain)
    if (entry === undefined || !this.#isExpired(entry)) return entry
    this.#remove(domain)
    return undefined
  }

  /** Somebody asks for it. */
  noteUse(domain: string): void {
    const entry = this.#entries.get(domain)
    if (entry === undefined) return
    const used = { ...entry, usedSeconds: this.#options.now() }
    this.#entries.set(domain, used)
    // to the day is enough for the file
    const written = parseEntry(this.#file.find(domain) ?? '')?.usedSeconds ?? 0
    if (used.usedSeconds - written >= DAY_SECONDS) this.#write(domain, used)
  }

  /** A policy that was just fetched, in place of what was there. False: there is no room for it. */
  store(domain: string, id: string, policy: PolicyEntry['policy']): boolean {
    const now = this.#options.now()
    const before = this.#entries.get(domain)
    if (before === undefined && !this.#makeRoom(policy.mode === 'enforce')) return false
    const entry: PolicyEntry = {
      id,
      policy,
      fetchedSeconds: now,
      knownSeconds: before?.knownSeconds ?? now,
      usedSeconds: before?.usedSeconds ?? now,
    }
    this.#entries.set(domain, entry)
    this.#write(domain, entry)
    return true
  }

  entries(): readonly (readonly [string, PolicyEntry])[] {
    return [...this.#entries]
  }

  async close(): Promise<void> {
    await this.#file.close()
  }

  /** The journal without what is gone, when it has become long. */
  async tidy(): Promise<void> {
    for (const [domain, entry] of this.#entries) if (this.#isExpired(entry)) this.#remove(domain)
    if (this.#changes < IDLE_LINES + 2 * this.#entries.size) return
    this.#changes = 0
    await this.#file.compact()
  }

  #isExpired(entry: PolicyEntry): boolean {
    return expirySeconds(entry) <= this.#options.now()
  }

  #write(domain: string, entry: PolicyEntry): void {
    this.#changes += 1
    this.#file.set(domain, formatEntry(entry))
  }

  #remove(domain: string): void {
    this.#changes += 1
    this.#entries.delete(domain)
    this.#file.delete(domain)
  }

  #makeRoom(isEnforced: boolean): boolean {
    if (this.#entries.size < this.#options.entriesLimit) return true
    const victim =
      this.#leastUsed((entry) => this.#isExpired(entry)) ??
      this.#leastUsed(({ policy }) => policy.mode !== 'enforce') ??
      (isEnforced ? this.#leastUsed(isUnproven) : undefined)
    if (victim === undefined) return false
    this.#remove(victim)
    return true
  }

  #leastUsed(isWanted: (entry: PolicyEntry) => boolean): string | undefined {
    let found: readonly [string, PolicyEntry] | undefined
    for (const [domain, entry] of this.#entries) {
      if (!isWanted(entry)) continue
      if (found === undefined || entry.usedSeconds < found[1].usedSeconds) found = [domain, entry]
    }
    return found?.[0]
  }
}

function isUnproven({ knownSeconds, usedSeconds }: PolicyEntry): boolean {
  return usedSeconds - knownSeconds < DAY_SECONDS
}
