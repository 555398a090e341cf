/**
 * descriptor-budget - how many connections the cache may hold, and how many clients it may have, with the descriptors it gets
 *
 *     |-- own --|-- spare --|------------- clients and cached connections -------------|
 *     0                                                                           limit of the process
 *
 * Clients come first, up to half of what both share; connections have what is left, up to `connectionLimit`. The spare
 * ones are for what is under way: a client that is just accepted, a connection that is just received or handed out.
 *
 * Source: getrlimit(2) RLIMIT_NOFILE, as proc(5) shows it.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'

/** However many descriptors there are. */
const CONNECTION_LIMIT = 20_000
const LIMITS = '/proc/self/limits'
const SPARE = 8
/** Where the system does not tell. */
const USUAL_LIMIT = 1024
const USUAL_OWN = 32

export class DescriptorBudget {
  readonly clientLimit: number
  readonly #sharedCount: number
  readonly #connectionLimit: number

  constructor(limit: number, ownCount: number, connectionLimit = CONNECTION_LIMIT) {
    this.#sharedCount = Math.max(2, limit - ownCount - SPARE)
    this.#connectionLimit = connectionLimit
    this.clientLimit = this.#sharedCount >> 1
  }

  /** Of this process, as it is now. Not in a jail: there is no /proc. */
  static ofProcess(): DescriptorBudget {
    /* eslint-disable n/no-sync -- once, at start */
    if (!existsSync(LIMITS)) return new DescriptorBudget(USUAL_LIMIT, USUAL_OWN)
    const limit = parseOpenFiles(readFileSync(LIMITS, 'latin1')) ?? USUAL_LIMIT
    return new DescriptorBudget(limit, readdirSync('/proc/self/fd').length)
    /* eslint-enable n/no-sync */
  }

  /** Connections that may be held beside so many clients. */
  connectionLimit(clientCount: number): number {
    return Math.max(1, Math.min(this.#connectionLimit, this.#sharedCount - clientCount))
  }
}

/** The soft limit; undefined: there is no such line, or no limit. */
export function parseOpenFiles(limits: string): number | undefined {
  const [, soft] = /^Max open files +(\d+)/m.exec(limits) ?? []
  return soft === undefined ? undefined : Number(soft)
}
