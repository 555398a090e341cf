import t from 'tap'
import { addresses, Simulation, success, unreachable } from './scheduler-fixture.ts'

t.test('Scheduler groups recipients by destination and recipient limit', async (t) => {
  const sim = new Simulation({ smtp: { recipientsPerRequest: 2 } })
  const message = sim.send(['b@B.test', 'a@x.test', 'c@b.test', 'a@b.test'])
  await sim.settle()
  const requests = sim.running.map(({ entry }) => [
    entry.destination.nexthop,
    entry.recipients.map(({ recipient }) => recipient),
  ])
  t.same(requests, [
    ['b.test', ['a@b.test', 'b@B.test']],
    ['x.test', ['a@x.test']],
    ['b.test', ['c@b.test']],
  ])
  t.same(sim.finished, [])
  while (sim.running.length > 0) await sim.end()
  t.same(
    sim.finished.map(({ id }) => id),
    [message.id],
  )
  t.equal(sim.scheduler.transport('smtp').destinations.size, 0, 'idle destinations are gone')
  t.equal(sim.scheduler.recipientCount, 0)
})

t.test('Scheduler gives VERP recipients requests of their own', async (t) => {
  const sim = new Simulation()
  const message = sim.message(0, '+=')
  sim.assign(message, addresses(3, 'x.test'))
  await sim.settle()
  t.equal(sim.running.length, 3)
})

t.test('Scheduler starts with the initial concurrency and climbs with success', async (t) => {
  const sim = new Simulation()
  for (const address of addresses(100, 'x.test')) sim.send([address])
  await sim.settle()
  t.equal(sim.running.length, 5)
  const busy: number[] = []
  for (let count = 0; count < 30; count += 1) {
    await sim.end()
    busy.push(sim.running.length)
  }
  t.same(busy.slice(0, 4), [6, 7, 8, 9])
  t.equal(Math.max(...busy), 20, 'default_destination_concurrency_limit')
})

t.test('Scheduler climbs as fast where successes come all at once', async (t) => {
  const sim = new Simulation()
  for (const address of addresses(100, 'x.test')) sim.send([address])
  await sim.settle()
  const rounds: number[] = []
  for (let count = 0; count < 4; count += 1) {
    const round = sim.running.splice(0)
    rounds.push(round.length)
    for (const { end } of round) end(success)
    await sim.settle()
  }
  t.same(rounds, [5, 10, 15, 20])
})

t.test('Scheduler declares a destination dead and moves its mail to retry', async (t) => {
  const sim = new Simulation()
  const messages = addresses(10, 'dead.test').map((address) => sim.send([address]))
  const other = sim.send(['a@alive.test'])
  await sim.settle()
  t.equal(sim.running.length, 6)
  for (let count = 0; count < 3; count += 1) {
    const index = sim.running.findIndex(({ entry }) => entry.destination.name === 'dead.test')
    const [failing] = sim.running.splice(index, 1)
    failing?.end(unreachable('connect to dead.test: Connection refused'))
    await sim.settle()
  }
  const retried = sim.running.filter(({ entry }) => entry.destination.transport.name === 'retry')
  t.ok(retried.length > 0)
  t.equal(
    retried[0]?.entry.destination.nexthop,
    '4.4.1 delivery temporarily suspended: connect to dead.test: Connection refused',
  )
  t.ok(messages.slice(0, 3).every((message) => message.isDeferred))
  t.notOk(other.isDeferred, 'the other destination is not concerned')

  const late = sim.send(['late@dead.test'])
  await sim.settle()
  t.same(
    [...late.jobs.keys()].map(({ name }) => name),
    ['retry'],
    'new mail is not tried',
  )

  await sim.drain()
  t.equal(sim.finished.length, 12)
  sim.clock.advance(300)
  sim.send(['again@dead.test'])
  await sim.settle()
  t.equal(sim.running[0]?.entry.destination.transport.name, 'smtp', 'revived after the back-off')
})

t.test('Scheduler: a success in progress revives a dead destination', async (t) => {
  const sim = new Simulation()
  for (const address of addresses(5, 'x.test')) sim.send([address])
  await sim.settle()
  for (let count = 0; count < 3; count += 1) await sim.end(unreachable('no'))
  const destination = sim.scheduler.transport('smtp').destinations.get('x.test')
  t.equal(destination?.state, 'throttled')
  await sim.end()
  t.equal(destination?.state, 'ready')
  t.equal(destination?.problem, undefined)
})

t.test('Scheduler: a message that is flushed by id revives what it meets', async (t) => {
  const sim = new Simulation()
  for (const address of addresses(5, 'x.test')) sim.send([address])
  await sim.settle()
  for (let count = 0; count < 3; count += 1) await sim.end(unreachable('no'))
  sim.scheduler.reviveAll()
  t.equal(sim.scheduler.transport('smtp').destinations.get('x.test')?.state, 'ready')
})

t.test('Scheduler: single failures of a destination never add up', async (t) => {
  const sim = new Simulation()
  for (let count = 0; count < 10; count += 1) {
    sim.send(['a@x.test'])
    await sim.settle()
    const entry = await sim.end(unreachable('no'))
    t.equal(entry.destination.transport.name, 'smtp')
  }
})

t.test('Scheduler: a transport without service goes to retry for a minute', async (t) => {
  const sim = new Simulation()
  sim.missing.add('foo')
  const message = sim.send(['a@x.test'], 'foo')
  await sim.settle()
  t.equal(sim.running[0]?.entry.destination.nexthop, '4.3.0 mail transport unavailable')
  await sim.end({ kind: 'answered', status: -1, problem: undefined })
  t.same(
    sim.finished.map(({ id }) => id),
    [message.id],
  )
  t.ok(message.isDeferred)
  sim.missing.clear()
  sim.clock.advance(59)
  sim.send(['a@x.test'], 'foo')
  await sim.settle()
  t.equal((await sim.end()).destination.transport.name, 'retry')
  sim.clock.advance(1)
  sim.send(['a@x.test'], 'foo')
  await sim.settle()
  t.equal((await sim.end()).destination.transport.name, 'foo')
})

t.test('Scheduler defers by itself when the retry service is dead too', async (t) => {
  const sim = new Simulation()
  sim.missing.add('foo').add('retry')
  const message = sim.send(['a@x.test', 'b@x.test'], 'foo')
  await sim.settle()
  t.same(
    sim.deferred.map(({ address, problem }) => [address, problem]),
    [
      ['a@x.test', { status: '4.3.0', reason: 'mail transport unavailable' }],
      ['b@x.test', { status: '4.3.0', reason: 'mail transport unavailable' }],
    ],
  )
  t.same(
    sim.finished.map(({ id }) => id),
    [message.id],
  )
  t.ok(message.isDeferred)
})

t.test(
  'Scheduler: an agent that breaks off leaves the message deferred, without feedback',
  async (t) => {
    const sim = new Simulation()
    const message = sim.send(['a@x.test'])
    sim.send(['b@x.test'])
    await sim.settle()
    const { destination } = await sim.end({ kind: 'broken' })
    t.ok(message.isDeferred)
    t.equal(destination.window.size, 5)
  },
)

t.test('Scheduler: a request that could not be written is not lost', async (t) => {
  const sim = new Simulation()
  const message = sim.send(['a@x.test'])
  await sim.settle()
  await sim.end({ kind: 'unsent' })
  t.same(sim.finished, [])
  t.equal(sim.running[0]?.entry.message, message)
  t.equal(sim.running[0]?.entry.destination.transport.name, 'retry')
})

t.test('Scheduler: at most two agents are called without an answer', async (t) => {
  const sim = new Simulation()
  for (const address of addresses(10, 'x.test')) sim.send([address])
  const { scheduler } = sim
  scheduler.dispatch()
  t.equal(scheduler.transport('smtp').pendingCount, 2)
  await sim.settle()
  t.equal(scheduler.transport('smtp').pendingCount, 0)
})

t.test('Scheduler: a small message preempts a big one', async (t) => {
  const sim = new Simulation({ smtp: { window: { ...windowOfOne } } })
  const big = sim.sendEach(addresses(1000, 'x.test'))
  await sim.settle()
  t.equal(sim.running.length, 1)
  const small = sim.send(['one@x.test'])
  const order: string[] = []
  for (let count = 0; count < 12; count += 1) order.push((await sim.end()).message.id)
  t.same(order.slice(0, 3), [big.id, small.id, big.id], 'after the first delivery of the big one')
  const job = [...big.jobs.values()][0]
  t.equal(job?.slotsAvailable, 1 - 5 + 11, 'reserved slots were used; each delivery earns one')
})

t.test('Scheduler: ten recipients wait until the loan covers their half', async (t) => {
  const sim = new Simulation({ smtp: { window: { ...windowOfOne } } })
  const big = sim.sendEach(addresses(1000, 'x.test'))
  await sim.settle()
  const ten = sim.sendEach(addresses(10, 'x.test'))
  const order: string[] = []
  for (let count = 0; count < 30; count += 1) order.push((await sim.end()).message.id)
  t.equal(order.indexOf(ten.id), 10, 'available slots reach 10')
  t.same(new Set(order.slice(10, 20)), new Set([ten.id]))
  t.equal(order[20], big.id)
})

t.test('Scheduler: slot cost 0 means first come, first served', async (t) => {
  const sim = new Simulation({ smtp: { slotCost: 0, window: { ...windowOfOne } } })
  const big = sim.sendEach(addresses(50, 'x.test'))
  const small = sim.send(['one@x.test'])
  const order = await sim.drain()
  t.equal(order.indexOf(small.id), 50)
  t.equal(order.lastIndexOf(big.id), 49)
})

t.test('Scheduler: a destination without room does not hold up another', async (t) => {
  const sim = new Simulation({ smtp: { window: { ...windowOfOne, initial: 1, limit: 1 } } })
  sim.send(['a@slow.test'])
  sim.send(['b@slow.test'])
  sim.send(['c@slow.test'])
  const quick = sim.send(['d@quick.test'])
  await sim.settle()
  t.same(
    sim.running.map(({ entry }) => entry.destination.name),
    ['slow.test', 'quick.test'],
  )
  sim.running[1]?.end(success)
  sim.running.splice(1, 1)
  await sim.settle()
  t.same(
    sim.finished.map(({ id }) => id),
    [quick.id],
  )
  t.same(await sim.drain(), ['M1', 'M2', 'M3'], 'in their order')
})

t.test('Scheduler: transports take turns', async (t) => {
  const sim = new Simulation()
  for (const address of addresses(3, 'x.test')) sim.send([address], 'smtp')
  for (const address of addresses(3, 'x.test')) sim.send([address], 'relay')
  await sim.settle()
  t.same(sim.running.map(({ entry }) => entry.destination.transport.name).sort(), [
    'relay',
    'relay',
    'relay',
    'smtp',
    'smtp',
    'smtp',
  ])
})

t.test(
  'Scheduler: destination_rate_delay allows one delivery at a time, with a pause',
  async (t) => {
    const sim = new Simulation({
      smtp: { destinationRateDelaySeconds: 10, window: { ...windowOfOne, initial: 1, limit: 1 } },
    })
    for (const address of addresses(3, 'x.test')) sim.send([address])
    await sim.settle()
    t.equal(sim.running.length, 1)
    await sim.end()
    t.equal(sim.running.length, 0, 'suspended')
    sim.clock.advance(10)
    await sim.settle()
    t.equal(sim.running.length, 1)
    await sim.end(unreachable('no'))
    t.equal(sim.running[0]?.entry.destination.transport.name, 'retry')
    sim.clock.advance(10)
    sim.send(['z@x.test'])
    await sim.settle()
    t.ok(sim.running.some(({ entry }) => entry.destination.transport.name === 'smtp'))
  },
)

t.test('Scheduler: transport_rate_delay serialises the deliveries of a transport', async (t) => {
  const sim = new Simulation({ smtp: { transportRateDelaySeconds: 3 } })
  sim.send(['a@x.test'])
  sim.send(['a@y.test'])
  await sim.settle()
  t.equal(sim.running.length, 0)
  sim.clock.advance(3)
  await sim.settle()
  t.equal(sim.running.length, 1)
  await sim.end()
  t.equal(sim.running.length, 0)
  sim.clock.advance(3)
  await sim.settle()
  t.equal(sim.running.length, 1)
})

t.test('Scheduler asks for more recipients as those in memory go', async (t) => {
  const sim = new Simulation({
    smtp: { recipientLimit: 200, refillLimit: 100 },
  })
  const message = sim.message(500, '+=')
  sim.assign(message, addresses(200, 'x.test'))
  t.equal(message.recipientLimit, 210)
  await sim.settle()
  t.same(sim.wantsMore, [])
  for (let count = 0; count < 100; count += 1) await sim.end()
  t.same(
    sim.wantsMore.map(({ id }) => id),
    [message.id],
    'once, when refillLimit slots are free',
  )
  message.isReading = false
  message.unreadCount = 0
  sim.assign(message, addresses(100, 'y.test'))
  await sim.drain()
  t.same(
    sim.finished.map(({ id }) => id),
    [message.id],
  )
  t.equal(sim.scheduler.transport('smtp').freeSlots, 200, 'all slots are back')
})

t.test('Scheduler turns connection caching on for deliveries back to back', async (t) => {
  const sim = new Simulation()
  for (const address of addresses(8, 'x.test')) sim.send([address])
  await sim.settle()
  t.notOk(sim.running[0]?.entry.destination.storesConnections, 'a burst alone does not')
  await sim.end()
  const destination = sim.running[0]?.entry.destination
  t.ok(destination?.storesConnections && destination.loadsConnections)
})

t.test('Scheduler keeps connection caching on when mail runs out for a moment', async (t) => {
  const sim = new Simulation()
  const sendOne = async (): Promise<boolean> => {
    sim.send(['a@x.test'])
    await sim.settle()
    return sim.running[0]?.entry.destination.loadsConnections === true
  }
  t.notOk(await sendOne())
  await sim.end()
  t.notOk(await sendOne(), 'one after the other is not back to back')
  for (const address of addresses(8, 'x.test')) sim.send([address])
  await sim.drain()
  t.equal(sim.scheduler.transport('smtp').destinations.size, 0)
  t.ok(await sendOne(), 'it was, a moment ago')
  await sim.drain()
  sim.clock.advance(3)
  t.notOk(await sendOne(), 'it was, long ago')
})

t.test('Scheduler warns of a destination that fills the active queue', async (t) => {
  const sim = new Simulation()
  sim.limits.activeMessages = 20
  for (const address of addresses(6, 'x.test')) sim.send([address])
  await sim.settle()
  t.match(sim.lines[0], 'mail for x.test is using up 5 of 5 active queue entries')
  t.equal(sim.lines.filter((line) => line.includes('is using up')).length, 1)
})

t.test('Scheduler logs feedback when asked', async (t) => {
  const sim = new Simulation()
  sim.limits.debugsFeedback = true
  sim.send(['a@x.test'])
  sim.send(['b@x.test'])
  await sim.settle()
  await sim.end(unreachable('no'))
  t.same(sim.lines, [
    'qmgr_queue_throttle: feedback 1',
    'qmgr_queue_throttle: queue x.test: limit 20 window 3 success 0 failure 1 fail_cohorts 0.2',
  ])
})

const windowOfOne = {
  limit: 1,
  initial: 1,
  positive: { amount: 1, isPerConcurrency: false },
  negative: { amount: 1, isPerConcurrency: false },
  failedCohortLimit: 1,
}
