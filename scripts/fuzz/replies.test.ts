/**
 * replies.test - some inputs of `make fuzz`, and clients with faults that it must find
 */
import t, { type Test } from 'tap'
import type { Delivery } from '../../packages/daemons/smtp/src/delivery.ts'
import { FuzzRun } from './fuzz-run.ts'
import { ReplyFuzz, type Sabotage } from './replies.ts'

t.setTimeout(120_000)

const SEED = 1
const COUNT = 3000
/** So many inputs are enough to find a fault. */
const FAULT_COUNT = 600

async function fuzz(t: Test, count: number, sabotage?: Sabotage): Promise<FuzzRun> {
  const target = await ReplyFuzz.open(sabotage)
  t.teardown(() => {
    target.close()
  })
  const run = new FuzzRun(target)
  await run.run({ seed: SEED, first: 0, count }, undefined, 1)
  t.comment(run.summary(SEED))
  return run
}

t.test('nothing is found', async (t) => {
  const run = await fuzz(t, COUNT)
  t.same(run.findings, [])
  t.equal(run.inputs, COUNT)
  for (const word of ['delivered', 'deferred', 'bounced', 'left', 'reused']) {
    t.ok((run.counts.get(word) ?? 0) > COUNT / 100, word)
  }
})

t.test('an input is made from seed and index alone', async (t) => {
  const target = await ReplyFuzz.open()
  t.teardown(() => {
    target.close()
  })
  const said = async (index: number): Promise<string> => {
    await target.run(SEED, index)
    return target.describe().replace(/delays?=[\d./]+/g, '')
  }
  for (const index of [1, 2, 3, 4, 5]) t.equal(await said(index), await said(index))
})

const yes = { dsn: '2.0.0', reason: '250 2.0.0 Ok' }

/** Does something else instead of a method, which it gets. */
function instead<Name extends 'sent' | 'failMessage' | 'failSite' | 'failRecipient'>(
  name: Name,
  change: (delivery: Delivery, original: Delivery[Name]) => Delivery[Name],
): Sabotage {
  return (delivery) => {
    const original = delivery[name].bind(delivery) as Delivery[Name]
    Object.assign(delivery, { [name]: change(delivery, original) })
  }
}

const FAULTS: Record<string, [Sabotage, RegExp]> = {
  'a refusal counts as a yes': [
    instead('failMessage', (delivery) => async () => {
      for (const recipient of delivery.unmarked()) await delivery.sent(recipient, yes)
    }),
    /reported as sent/,
  ],
  'a lost connection counts as a yes': [
    instead('failSite', (delivery) => async () => {
      for (const recipient of delivery.unmarked()) await delivery.sent(recipient, yes)
    }),
    /reported as sent/,
  ],
  'a lost connection is a bounce': [
    instead('failSite', (_delivery, original) => async (failure) => {
      await original({ ...failure, dsn: failure.dsn.replace(/^4/, '5') })
    }),
    /bounced, and the server has not refused/,
  ],
  'somebody is forgotten': [
    instead('failSite', () => async () => Promise.resolve()),
    /has no fate|is lost, or done twice/,
  ],
  'somebody is told twice': [
    instead('sent', (_delivery, original) => async (recipient, status, reports) => {
      await original(recipient, status, reports)
      await original(recipient, status, reports)
    }),
    /more than one fate/,
  ],
  'the text changes on its way': [
    (_delivery, transport) => {
      const write = transport.write.bind(transport)
      transport.write = (octets) => write(octets.toString('latin1').replace('body', 'bodY'))
    },
    /reported as sent/,
  ],
  'a dot too few': [
    (_delivery, transport) => {
      const write = transport.write.bind(transport)
      transport.write = (octets) => {
        const text = octets.toString('latin1')
        write(text.replace('\r\n..two', '\r\n.two'))
        return text.length
      }
    },
    /reported as sent/,
  ],
  'a control character in a report': [
    instead('failRecipient', (_delivery, original) => async (recipient, failure) => {
      await original(recipient, { ...failure, reason: `${failure.reason}\x1b` })
    }),
    /unprintable/,
  ],
  'an exception': [
    instead('failMessage', () => async () => Promise.reject(new TypeError('of all things'))),
    /TypeError: of all things/,
  ],
}

for (const [name, [sabotage, expected]] of Object.entries(FAULTS)) {
  t.test(`a client with a fault is found: ${name}`, async (t) => {
    const run = await fuzz(t, FAULT_COUNT, sabotage)
    t.match(run.findings[0]?.text, expected)
  })
}
