/**
 * cache-use - what one request may have from the connection cache, and give back to it
 *
 * All destinations of smtp_connection_cache_destinations may use it; others when the queue manager says so, which it does
 * while a destination has much mail (smtp_connection_cache_on_demand).
 * Source: Postfix 3.7 postconf(5).
 */
import { DELIVERY_FLAGS } from '@posthorn/wire/delivery-request'
import type { SmtpClient } from './smtp-client.ts'

export class CacheUse {
  mayLoad = false
  mayStore = false
  /** While set, a good session can be found by this name of the destination. */
  destination = ''
  /** Of servers that this request has had a cached connection to. */
  readonly usedAddresses = new Set<string>()

  get isAllowed(): boolean {
    return this.mayLoad || this.mayStore
  }

  /** Once for each request. `flags`: DELIVERY_FLAGS of the request. */
  async decide(
    name: string,
    flags: number,
    { options, tables }: Pick<SmtpClient, 'options' | 'tables'>,
  ): Promise<void> {
    if ((await tables.isCachedDestination?.(name)) === true) {
      this.mayLoad = true
      this.mayStore = true
    } else if (options.cachesOnDemand) {
      this.mayLoad = (flags & DELIVERY_FLAGS.connectionLoad) !== 0
      this.mayStore = (flags & DELIVERY_FLAGS.connectionStore) !== 0
    }
  }
}
