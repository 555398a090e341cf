import t from 'tap'
import type { DeliveryJob } from '@posthorn/delivery/delivery-job'
import type { RelayedStatus } from '@posthorn/delivery/delivery-status'
import { errorAgent } from './error-agent.ts'

/** What the agent says about the recipients of a request with this next-hop. */
async function report(outcome: 'bounced' | 'deferred', nexthop: string): Promise<string[]> {
  const said: string[] = []
  const say =
    (what: string) =>
    async (recipient: string, { dsn, reason, relay }: RelayedStatus): Promise<void> => {
      said.push(`${recipient} ${what} ${dsn} ${relay} (${reason})`)
      return Promise.resolve()
    }
  const job = {
    request: { nexthop },
    recipients: ['a', 'b'],
    bounced: say('bounced'),
    deferred: say('deferred'),
  }
  await errorAgent(outcome).deliver(job as unknown as DeliveryJob)
  return said
}

t.test('errorAgent() takes code and reason from the next-hop', async (t) => {
  t.same(await report('bounced', '5.7.1 go away'), [
    'a bounced 5.7.1 none (go away)',
    'b bounced 5.7.1 none (go away)',
  ])
  t.same(await report('deferred', '4.4.1 delivery temporarily suspended: x'), [
    'a deferred 4.4.1 none (delivery temporarily suspended: x)',
    'b deferred 4.4.1 none (delivery temporarily suspended: x)',
  ])
})

t.test('errorAgent() has a code of its own when there is none', async (t) => {
  t.equal((await report('bounced', 'just no'))[0], 'a bounced 5.0.0 none (just no)')
  t.equal((await report('deferred', 'later'))[0], 'a deferred 4.0.0 none (later)')
  t.equal((await report('bounced', '5.1 what'))[0], 'a bounced 5.0.0 none (5.1 what)')
})
