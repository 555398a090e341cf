import t from 'tap'
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import type { RelayedStatus } from '@posthorn/delivery/delivery-status'
import { discardAgent } from './discard-agent.ts'

t.test(
  'discardAgent reports every recipient as sent, for the reason in the next-hop',
  async (t) => {
    const said: string[] = []
    const job = {
      request: { nexthop: 'silently' },
      recipients: ['a', 'b'],
      sent: async (recipient: string, { dsn, reason, relay }: RelayedStatus): Promise<void> => {
        said.push(`${recipient} ${dsn} ${relay} (${reason})`)
        return Promise.resolve()
      },
    }
    t.equal(await discardAgent.deliver(job as unknown as DeliveryJob), undefined)
    t.same(said, ['a 2.0.0 none (silently)', 'b 2.0.0 none (silently)'])
  },
)
