import { chmodSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { MainConfig } from '@posthorn/config/main-config'
import { captureLog } from '@posthorn/log/capture-log'
import { socketPair } from '@posthorn/native/socket'
import { encodeRecord, RECORD } from '@posthorn/queue/record'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { deliveryRequest } from '@posthorn/testing/delivery-request'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { Channel } from '@posthorn/wire/channel'
import {
  DELIVERY_FLAGS,
  deliveryProtocol,
  encodeDeliveryRequest,
  receiveDeliveryReply,
  type DeliveryReply,
  type DeliveryRequest,
} from '@posthorn/wire/delivery-request'
import { serveDeliveries, type DeliveryAgent } from './delivery-agent.ts'
import { createDeliveryContext, type DeliveryContext } from './delivery-context.ts'
import { StatusFilter } from './status-filter.ts'

const ID = '0123456789A'

interface World {
  context: DeliveryContext
  records: string[]
  /** Names of services that do not work. */
  broken: Set<string>
}

function world(
  test: { teardown: (undo: () => unknown) => unknown },
  settings: Record<string, string> = {},
): World {
  process.chdir(temporaryDirectory(test))
  mkdirSync('active')
  writeFileSync(`active/${ID}`, encodeRecord(RECORD.recipient, 'to@a.test'))
  chmodSync(`active/${ID}`, 0o700)
  const records: string[] = []
  const broken = new Set<string>()
  const record = (service: string, text: string): boolean => {
    records.push(`${service} ${text}`)
    return !broken.has(service)
  }
  const context: DeliveryContext = {
    ...createDeliveryContext(MainConfig.of(settings)),
    isFlushDomain: async (domain) => Promise.resolve(domain === 'a.test'),
    records: {
      append: async (log, _flags, id, recipient, dsn) =>
        Promise.resolve(
          record(log, `${id} ${recipient.recipient} ${dsn.status} ${dsn.action} ${dsn.reason}`),
        ),
      updateVerify: async (address, status, reason) =>
        Promise.resolve(record('verify', `${address} ${status} ${reason}`)),
      addToFlush: async (site) => {
        record('flush', site)
        return Promise.resolve()
      },
    },
  }
  return { context, records, broken }
}

const base = { queueId: ID, nexthop: 'a.test', sender: 'from@a.test' }

const recipient = {
  recipient: 'to@a.test',
  originalRecipient: '',
  offset: 0,
  dsnOriginalRecipient: '',
  notifyFlags: 0,
}

async function serve(
  { context }: World,
  agent: DeliveryAgent,
  fields: Partial<DeliveryRequest> = {},
  notifyFlags = 0,
): Promise<{ reply: DeliveryReply; log: string[]; isMarked: boolean }> {
  const captured = captureLog()
  const [one, other] = socketPair()
  const stream = new ByteStream(one)
  const served = serveDeliveries(stream, { stay: () => false }, agent, context)
  const channel = new Channel(new ByteStream(other))
  await channel.expectAnnouncement(deliveryProtocol)
  const request = deliveryRequest({ ...base, ...fields })
  channel.send(encodeDeliveryRequest(request, [{ ...recipient, notifyFlags }]))
  const reply = await receiveDeliveryReply(channel)
  channel.close()
  await served
  stream.close()
  captured.restore()
  const log = captured.lines.map((line) => line.replace(/, delay=.*, dsn=/, ', dsn='))
  const isMarked = readFileSync(`active/${ID}`, 'latin1').startsWith(RECORD.done)
  return { reply, log, isMarked }
}

type Fate = 'sent' | 'deferred' | 'bounced'

function reporting(fate: Fate, dsn: string): DeliveryAgent {
  return {
    deliver: async (job) => {
      const status = { dsn, reason: 'because', relay: 'here' }
      for (const one of job.recipients) await job[fate](one, status)
      return undefined
    },
  }
}

t.test('each fate is logged, recorded and marked', async (t) => {
  const cases: [Fate, string, string, string[], boolean][] = [
    ['sent', '2.0.0', 'dsn=2.0.0, status=sent', [], true],
    ['bounced', '5.1.1', 'dsn=5.1.1, status=bounced', ['bounce 5.1.1 failed because'], true],
    [
      'deferred',
      '4.4.1',
      'dsn=4.4.1, status=deferred',
      ['defer 4.4.1 delayed because', 'flush a.test'],
      false,
    ],
    ['sent', '5.1.1', 'dsn=2.0.0, status=sent', [], true],
    [
      'deferred',
      '5.1.1',
      'dsn=4.0.0, status=deferred',
      ['defer 4.0.0 delayed because', 'flush a.test'],
      false,
    ],
  ]
  for (const [fate, dsn, line, records, isDone] of cases) {
    const place = world(t)
    const { reply, log, isMarked } = await serve(place, reporting(fate, dsn))
    t.equal(log.at(-1), `${ID}: to=<to@a.test>, relay=here, ${line} (because)`)
    t.same(
      place.records.map((record) => record.replace(` ${ID} to@a.test`, '')),
      records,
    )
    t.equal(isMarked, isDone)
    t.equal(reply.status, isDone ? 0 : -1)
    t.equal(reply.hopStatus.status, '')
  }
})

t.test('records that cannot be made defer the recipient', async (t) => {
  const bounce = world(t)
  bounce.broken.add('bounce')
  const bounced = await serve(bounce, reporting('bounced', '5.1.1'))
  t.match(bounced.log.at(-1), /dsn=4\.3\.0, status=deferred \(bounce or trace service failure\)/)
  t.notOk(bounced.isMarked)
  const defer = world(t)
  defer.broken.add('defer')
  const deferred = await serve(defer, reporting('deferred', '4.1.1'))
  t.match(deferred.log, [`warning: ${ID}: defer service failure`, /status=deferred \(because\)/])
  const trace = world(t)
  trace.broken.add('trace')
  const sent = await serve(trace, reporting('sent', '2.0.0'), {}, 2)
  t.match(sent.log.at(-1), /dsn=4\.3\.0, status=deferred \(0123456789A: trace service failed\)/)
  t.notOk(sent.isMarked)
})

t.test('soft_bounce defers, and the log has a code of class 4', async (t) => {
  const place = world(t, { soft_bounce: 'yes' })
  const { log, reply, isMarked } = await serve(place, reporting('bounced', '5.1.1'))
  t.match(log, [/dsn=4\.1\.1, status=SOFTBOUNCE/])
  t.same(place.records, [`defer ${ID} to@a.test 4.1.1 delayed because`])
  t.equal(reply.status, -1)
  t.notOk(isMarked)
})

t.test('probes report to verify or trace', async (t) => {
  const cases: [number, Fate, string, string, string][] = [
    [256, 'sent', '2.1.5', 'deliverable', 'verify to@a.test 0 because'],
    [256, 'deferred', '4.1.1', 'undeliverable', 'verify to@a.test 1 because'],
    [256, 'bounced', '5.1.1', 'undeliverable', 'verify to@a.test 2 because'],
    [
      512,
      'bounced',
      '5.1.1',
      'undeliverable',
      `trace ${ID} to@a.test 5.1.1 undeliverable delivery via here: because`,
    ],
  ]
  for (const [flags, fate, dsn, outcome, record] of cases) {
    const place = world(t)
    const { log, reply, isMarked } = await serve(place, reporting(fate, dsn), { flags: flags | 1 })
    t.match(log.at(-1), `status=${outcome} (because)`)
    t.same(place.records, [record])
    t.equal(reply.status, 0)
    t.ok(isMarked)
  }
  const uncached = world(t, { address_verify_negative_cache: 'no' })
  const { log } = await serve(uncached, reporting('bounced', '5.1.1'), { flags: 257 })
  t.match(log, [/status=undeliverable-but-not-cached/])
  t.same(uncached.records, [])
})

t.test('trace records are made when asked for', async (t) => {
  const place = world(t)
  await serve(place, reporting('sent', '2.0.0'), { flags: 1 | 1024 })
  await serve(place, reporting('bounced', '5.0.0'), { flags: 1 | 1024 })
  t.match(place.records, [/^trace .* delivered delivery via here/, /^bounce/, /^trace .* failed/])
})

t.test('the status filter changes final results', async (t) => {
  const filter = (answer: string): StatusFilter =>
    new StatusFilter('smtp_delivery_status_filter', async (key) =>
      Promise.resolve(
        key === '5.1.1 because' || key === '2.0.0 because'
          ? { kind: 'found', value: answer }
          : { kind: 'absent' },
      ),
    )
  const place = world(t)
  place.context.statusFilter = filter('4.1.1 wait')
  const { log } = await serve(place, reporting('bounced', '5.1.1'))
  t.match(log, [/dsn=4\.1\.1, status=deferred \(wait\)/])
  const refused = await serve(place, reporting('sent', '2.0.0'))
  t.match(refused.log, [
    'warning: smtp_delivery_status_filter: bad status code: 4.1.1 wait',
    /dsn=2\.0\.0, status=sent \(because\)/,
  ])
})

t.test('requests that cannot be worked on are refused, and nobody is harmed', async (t) => {
  const place = world(t)
  const agent = reporting('sent', '2.0.0')
  for (const fields of [{ queueId: '0000000000B' }, { queueName: '../etc' }, { queueId: 'x/y' }]) {
    const { reply, log, isMarked } = await serve(place, agent, fields)
    t.equal(reply.status, -1)
    t.equal(log.length, 1)
    t.notOk(isMarked)
  }
  t.equal(statSync(`active/${ID}`).mode & 0o777, 0o700)
})

t.test('a client that asks for it gets a connection that stays', async (t) => {
  const { context } = world(t)
  const captured = captureLog()
  const agent = reporting('sent', '2.0.0')
  for (const [flags, mayStay, stays] of [
    [DELIVERY_FLAGS.stay, true, true],
    [DELIVERY_FLAGS.stay, false, false],
    [DELIVERY_FLAGS.success, true, false],
  ] as const) {
    const [one, other] = socketPair()
    const stream = new ByteStream(one)
    let asked = false
    const client = {
      stay: () => {
        asked = true
        return mayStay
      },
    }
    const served = serveDeliveries(stream, client, agent, context)
    const channel = new Channel(new ByteStream(other))
    await channel.expectAnnouncement(deliveryProtocol)
    channel.send(encodeDeliveryRequest(deliveryRequest({ ...base, flags }), [recipient]))
    t.equal((await receiveDeliveryReply(channel)).stays, stays)
    t.equal(asked, (flags & DELIVERY_FLAGS.stay) !== 0)
    if (!stays) channel.close() // what a client does that is not told
    await served
    t.equal(stream.isOpen, true, 'it is the caller’s to close')
    channel.close()
    stream.close()
  }
  captured.restore()
})

t.test('a client that has left before the reply is no event', async (t) => {
  const place = world(t)
  const captured = captureLog()
  const [one, other] = socketPair()
  const stream = new ByteStream(one)
  const channel = new Channel(new ByteStream(other))
  const agent: DeliveryAgent = {
    deliver: async (job) => {
      channel.close()
      return reporting('sent', '2.0.0').deliver(job)
    },
  }
  const served = serveDeliveries(stream, { stay: () => false }, agent, place.context)
  await channel.expectAnnouncement(deliveryProtocol)
  channel.send(encodeDeliveryRequest(deliveryRequest({ ...base, flags: 1 }), [recipient]))
  await served
  stream.close()
  captured.restore()
  t.equal(captured.lines.length, 1, 'the delivery, and nothing else')
  t.ok(readFileSync(`active/${ID}`, 'latin1').startsWith(RECORD.done), 'it is on record')
})

t.test('a client that changes its mind is no event', async (t) => {
  const { context } = world(t)
  const captured = captureLog()
  const [one, other] = socketPair()
  const stream = new ByteStream(one)
  const served = serveDeliveries(stream, { stay: () => false }, reporting('sent', '2.0.0'), context)
  other.close()
  await served
  stream.close()
  captured.restore()
  t.same(captured.lines, [])
})
