/**
 * clog-warning - tells the administrator that one destination fills the active queue
 *
 * Source: Postfix 3.7 qmgr(8), qmgr_clog_warn_time.
 */
import type { Destination } from './destination.ts'
import type { SchedulerHost } from './scheduler-host.ts'

export class ClogWarning {
  private readonly host: SchedulerHost
  private lastSeconds = 0

  constructor(host: SchedulerHost) {
    this.host = host
  }

  /** To be called when the destination got an entry, with the number of messages in the active queue. */
  check(destination: Destination, messageCount: number): void {
    const { clogWarnSeconds, activeMessages } = this.host.limits
    if (clogWarnSeconds === 0 || destination.entryCount <= activeMessages / 5) return
    const now = this.host.clock.nowSeconds()
    if (now < this.lastSeconds + clogWarnSeconds) return
    this.lastSeconds = now
    for (const line of this.lines(destination, messageCount)) this.host.warning(line)
  }

  private lines(destination: Destination, messageCount: number): string[] {
    const { nexthop, entryCount } = destination
    const share = entryCount / Math.max(1, messageCount)
    return [
      `mail for ${nexthop} is using up ${entryCount} of ${messageCount} active queue entries`,
      ...(share < 0.9 ? ['this may slow down other mail deliveries'] : []),
      ...this.advice(destination, share),
      'please avoid flushing the whole queue when you have',
      'lots of deferred mail, that is bad for performance',
      'to turn off these warnings specify: qmgr_clog_warn_time = 0',
    ]
  }

  private advice(destination: Destination, share: number): string[] {
    const { nexthop, transport, window } = destination
    const { limit } = transport.settings.window
    const { activeMessages } = this.host.limits
    if (limit > 0 && window.size >= limit) {
      return [
        `you may need to increase the main.cf ${transport.name}_destination_concurrency_limit from ${limit}`,
      ]
    }
    if (window.size > limit * share) {
      return [
        `you may need to increase the main.cf qmgr_message_active_limit from ${activeMessages}`,
      ]
    }
    if (transport.destinations.size > 1) {
      return [`you may need a separate master.cf transport for ${nexthop}`]
    }
    return [
      `you may need to reduce ${transport.name} connect and helo timeouts`,
      'so that Postfix quickly skips unavailable hosts',
      'you may need to increase the main.cf minimal_backoff_time and maximal_backoff_time',
      'so that Postfix wastes less time on undeliverable mail',
      `you may need to increase the master.cf ${transport.name} process limit`,
    ]
  }
}
