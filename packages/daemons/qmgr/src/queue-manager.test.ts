import { rmSync, writeFileSync } from 'node:fs'
import t from 'tap'
import { OpenQueueFile } from '@posthorn/queue/open-queue-file'
import { QueueLayout } from '@posthorn/queue/queue-layout'
import { parseQueueId } from '@posthorn/queue/queue-id'
import { encodeRecord } from '@posthorn/queue/record'
import type { FlowControl } from '@posthorn/daemon/flow-control'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { waitFor } from '@posthorn/testing/wait-for'
import { DELIVERY_FLAGS, emptyDsn } from '@posthorn/wire/delivery-request'
import { RESOLVE_FLAGS } from '@posthorn/wire/rewrite-protocol'
import { delivered, leftOver, queueFile, QmgrFixture } from './qmgr-fixture.ts'
import { restoreActive } from './restore-active.ts'

function makeFixture(
  test: Parameters<typeof temporaryDirectory>[0],
  settings?: Record<string, string>,
  flow?: FlowControl,
): QmgrFixture {
  return new QmgrFixture(test, temporaryDirectory(test), settings, flow)
}

/** Waits until the message was removed or stands in this queue. */
async function settled(qmgr: QmgrFixture, id: string, queue?: string): Promise<void> {
  await waitFor(
    () => {
      if (queue !== undefined) return qmgr.where(id)[0] === queue
      return qmgr.where(id).length === 0 && qmgr.log.lines.includes(`${id}: removed`)
    },
    `${id} in ${queue ?? 'no queue'}; log: ${qmgr.log.lines.join('\n')}`,
  )
}

const now = (): number => Math.floor(Date.now() / 1000)

t.test('QueueManager delivers a message and removes it', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.send('A1', { recipients: ['a@x.test', 'b@x.test'] })
  await settled(qmgr, 'A1')
  const [received] = qmgr.requests
  t.equal(received?.request.queueId, 'A1')
  t.equal(received?.request.queueName, 'active')
  t.equal(received?.request.nexthop, 'x.test')
  t.equal(received?.request.sender, 's@spec.test')
  const { success, bounce, stay } = DELIVERY_FLAGS
  t.equal(received?.request.flags, success | bounce | stay)
  t.equal(received?.request.rewriteContext, 'local')
  t.equal(received?.request.stats.agentMs, 0)
  t.same(
    received?.recipients.map(({ recipient }) => recipient),
    ['a@x.test', 'b@x.test'],
  )
  t.same(qmgr.log.lines, ['A1: from=<s@spec.test>, size=18, nrcpt=2 (queue active)', 'A1: removed'])
})

t.test('QueueManager leaves files alone that are incomplete or of the future', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.put('incoming', 'B1', queueFile(), 0o600)
  qmgr.put('incoming', 'B2', queueFile())
  qmgr.setModified('incoming/B2', now() + 100)
  qmgr.put('incoming', 'not.an.id', queueFile())
  qmgr.send('B3')
  await settled(qmgr, 'B3')
  t.same(qmgr.where('B1'), ['incoming'])
  t.same(qmgr.where('B2'), ['incoming'])
  qmgr.manager.trigger('AI')
  await settled(qmgr, 'B2')
})

t.test('QueueManager defers with a back-off that grows with the age', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.deliver = () => leftOver
  qmgr.send('C1')
  qmgr.send('C2', { createSeconds: now() - 1000 })
  qmgr.send('C3', { createSeconds: now() - 90000 })
  for (const [id, delay] of [
    ['C1', 300],
    ['C2', 1000],
    ['C3', 4000],
  ] as const) {
    await settled(qmgr, id, 'deferred')
    const wait = qmgr.modifiedSeconds(`deferred/${id}`) - now()
    t.ok(Math.abs(wait - delay) <= 2, `${id} waits ${wait}`)
  }
  qmgr.manager.trigger('D')
  t.equal(qmgr.requests.length, 3, 'their time has not come')
  qmgr.deliver = () => delivered
  qmgr.manager.trigger('FAD')
  for (const id of ['C1', 'C2', 'C3']) await settled(qmgr, id)
})

t.test('QueueManager sends the bounce log before the message goes', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.deliver = () => {
    writeFileSync('bounce/D1', '\nrecipient=r@x.test\n\n')
    return delivered
  }
  qmgr.send('D1', { records: encodeRecord('A', 'envelope_id=EID') })
  await settled(qmgr, 'D1')
  const [bounce] = qmgr.bounces
  t.equal(bounce?.service, 'bounce')
  t.match(bounce?.request, { request: 1, queueId: 'D1', sender: 's@spec.test', envelopeId: 'EID' })
})

t.test('QueueManager keeps the message when the bounce service fails', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.bounceStatus = -1
  qmgr.deliver = () => {
    writeFileSync('bounce/E1', '\nrecipient=r@x.test\n\n')
    return delivered
  }
  qmgr.send('E1')
  await settled(qmgr, 'E1', 'deferred')
  t.ok(qmgr.log.lines.includes('E1: status=deferred (bounce failed)'))
})

t.test('QueueManager returns a message that is too old', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.deliver = () => leftOver
  qmgr.send('F1', { createSeconds: now() - 6 * 86400 })
  await settled(qmgr, 'F1')
  t.equal(qmgr.bounces[0]?.service, 'defer')
  t.match(qmgr.bounces[0]?.request, { request: 1, flags: 2, queueId: 'F1' })
  t.ok(qmgr.log.lines.includes('F1: from=<s@spec.test>, status=expired, returned to sender'))
})

t.test('QueueManager: force-expired with a defer log goes back without another try', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  writeFileSync('defer/G1', '\nrecipient=r@x.test\n\n')
  qmgr.send('G1', { mode: 0o710 })
  await settled(qmgr, 'G1')
  t.equal(qmgr.requests.length, 0)
  t.ok(qmgr.log.lines.includes('G1: from=<s@spec.test>, status=force-expired, returned to sender'))
})

t.test('QueueManager: force-expired without a defer log fails by the retry service', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('retry')
  qmgr.deliver = () => leftOver
  qmgr.send('G2', { mode: 0o710 })
  await settled(qmgr, 'G2')
  t.equal(qmgr.requests[0]?.request.nexthop, '4.7.0 message is administratively expired')
})

t.test('QueueManager warns of a delay once', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.deliver = () => leftOver
  qmgr.send('H1', { records: encodeRecord('W', String(now() - 10).padStart(15)) })
  await settled(qmgr, 'H1', 'deferred')
  t.match(qmgr.bounces, [{ service: 'defer', request: { request: 2, queueId: 'H1' } }])
  t.ok(qmgr.read('deferred/H1').includes(encodeRecord('W', '-1'.padStart(15))))
  qmgr.manager.trigger('AD')
  await waitFor(() => qmgr.requests.length === 2)
  await settled(qmgr, 'H1', 'deferred')
  t.equal(qmgr.bounces.length, 1)
})

t.test('QueueManager asks for a report when a recipient wants one', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.send('I1', { sizeFlags: 4 })
  await settled(qmgr, 'I1')
  t.match(qmgr.bounces, [{ service: 'trace', request: { request: 5, queueId: 'I1' } }])
})

t.test('QueueManager saves a malformed file', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.put('incoming', 'J1', queueFile().slice(0, -2))
  qmgr.manager.trigger('W')
  await settled(qmgr, 'J1', 'corrupt')
  t.same(qmgr.log.lines, [
    'warning: J1: message rejected: missing end record',
    'warning: saving corrupt file "J1" from queue "active" to queue "corrupt"',
  ])
})

t.test('QueueManager saves a file that an agent found damaged', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.deliver = () => {
    const file = OpenQueueFile.open(new QueueLayout(), 'active', parseQueueId('J2'), 'none')
    file?.markCorrupt()
    file?.close()
    return leftOver
  }
  qmgr.send('J2')
  await settled(qmgr, 'J2', 'corrupt')
})

t.test('QueueManager skips a message that is still being delivered', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.put('active', 'K1', queueFile())
  const layout = new QueueLayout({ hashedQueues: [] })
  const held = OpenQueueFile.open(layout, 'active', parseQueueId('K1'), 'shared')
  await restoreActive(layout)
  t.same(qmgr.where('K1'), ['incoming'], 'restoreActive()')
  qmgr.manager.trigger('W')
  await waitFor(() => qmgr.log.lines.includes('K1: skipped, still being delivered'))
  t.same(qmgr.where('K1'), ['incoming'])
  t.ok(qmgr.modifiedSeconds('incoming/K1') > now() + 55)
  held?.close()
  qmgr.manager.trigger('AI')
  await settled(qmgr, 'K1')
})

t.test('QueueManager: resolver results', async (t) => {
  const qmgr = makeFixture(t, { defer_transports: 'slow' })
  qmgr.agent('error')
  qmgr.agent('retry')
  qmgr.agent('slow')
  const reply =
    (flags: number, transport = 'smtp') =>
    (address: string) => ({
      transport,
      nexthop: 'hop',
      recipient: address,
      flags,
    })
  const nexthopOf = async (id: string, recipient = `${id}@x.test`): Promise<string> => {
    qmgr.send(id, { recipients: [recipient] })
    await settled(qmgr, id)
    return qmgr.requests.at(-1)?.request.nexthop ?? ''
  }
  qmgr.resolve = reply(RESOLVE_FLAGS.fail)
  t.equal(await nexthopOf('L1'), '4.3.0 address resolver failure')
  qmgr.resolve = reply(RESOLVE_FLAGS.error)
  t.equal(await nexthopOf('L2'), '5.1.3 bad address syntax')
  qmgr.resolve = reply(0, 'slow')
  t.equal(await nexthopOf('L3'), '4.3.2 deferred transport')
  t.equal(await nexthopOf('L4', ''), '5.1.3 null recipient address')
  qmgr.put('incoming', 'L5', queueFile())
  qmgr.manager.trigger('FI')
  await settled(qmgr, 'L5')
  t.equal(qmgr.requests.at(-1)?.request.nexthop, 'hop', 'F overrides defer_transports')
})

t.test('QueueManager discards notices about failed notices', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.resolve = (address) => ({
    transport: 'local',
    nexthop: 'host.test',
    recipient: address,
    flags: RESOLVE_FLAGS.classLocal,
  })
  qmgr.send('M1', { recipients: ['double-bounce@host.test'] })
  await settled(qmgr, 'M1')
  t.match(
    qmgr.log.lines[1],
    /^M1: to=<double-bounce@host.test>, relay=none, .*dsn=2.0.0, status=sent \(undeliverable postmaster notification discarded\)$/,
  )
})

t.test('QueueManager: content filter and redirect', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.agent('scan')
  qmgr.send('N1', { records: encodeRecord('L', 'scan:[127.0.0.1]:10026') })
  await settled(qmgr, 'N1')
  t.equal(qmgr.requests[0]?.request.nexthop, '[127.0.0.1]:10026')
  t.equal(qmgr.resolveCount, 0)
  qmgr.send('N2', { records: encodeRecord('L', 'scan:') })
  await settled(qmgr, 'N2')
  t.equal(qmgr.requests[1]?.request.nexthop, 'x.test')
  qmgr.send('N3', {
    recipients: ['a@x.test', 'b@y.test'],
    records: encodeRecord('>', 'other@z.test'),
  })
  await settled(qmgr, 'N3')
  t.same(
    qmgr.requests.slice(2).map(({ recipients }) => recipients.map(({ recipient }) => recipient)),
    [['other@z.test']],
  )
})

t.test('QueueManager rewrites the sender for VERP', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.send('O1', { recipients: ['a@x.test', 'b@x.test'], records: encodeRecord('V', '+=') })
  await settled(qmgr, 'O1')
  t.same(qmgr.requests.map(({ request }) => request.sender).sort(), [
    's+a=x.test@spec.test',
    's+b=x.test@spec.test',
  ])
})

t.test('QueueManager reads a message with many recipients in parts', async (t) => {
  const qmgr = makeFixture(t, {
    qmgr_message_active_limit: '100',
    qmgr_message_recipient_limit: '100',
    default_recipient_limit: '100',
  })
  qmgr.agent('smtp')
  const recipients = Array.from({ length: 1000 }, (_, index) => `u${index}@x.test`)
  let most = 0
  qmgr.deliver = (received) => {
    most = Math.max(most, received.recipients.length)
    const file = OpenQueueFile.open(
      new QueueLayout({ hashedQueues: [] }),
      'active',
      parseQueueId('P1'),
      'none',
    )
    for (const { offset } of received.recipients) file?.markDone(offset)
    file?.close()
    return delivered
  }
  qmgr.send('P1', { recipients })
  await settled(qmgr, 'P1')
  const tried = qmgr.requests.flatMap((received) => received.recipients)
  t.equal(new Set(tried.map(({ recipient }) => recipient)).size, 1000)
  t.equal(tried.length, 1000)
  t.equal(most, 50)
})

t.test('QueueManager: a missing transport is logged and goes to retry', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('retry')
  qmgr.deliver = () => leftOver
  qmgr.send('Q1')
  await settled(qmgr, 'Q1', 'deferred')
  t.ok(
    qmgr.log.lines.includes(
      'warning: connect to transport private/smtp: No such file or directory',
    ),
  )
  t.equal(qmgr.requests[0]?.request.nexthop, '4.3.0 mail transport unavailable')
})

t.test('QueueManager defers itself when there is no retry service either', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.send('R1')
  await settled(qmgr, 'R1', 'deferred')
  t.match(qmgr.bounces, [
    {
      service: 'defer',
      request: { request: 0, dsn: { status: '4.3.0', reason: 'mail transport unavailable' } },
    },
  ])
  t.ok(
    qmgr.log.lines.some((line) =>
      /^R1: to=<r@x.test>, relay=none, .*status=deferred \(mail transport unavailable\)$/.test(
        line,
      ),
    ),
  )
})

t.test('QueueManager holds back a dead destination', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.agent('retry')
  const waiting: (() => void)[] = []
  qmgr.deliver = async ({ request }) => {
    if (request.nexthop.startsWith('4.4.1')) return leftOver
    await new Promise<void>((resolve) => waiting.push(resolve))
    return {
      hopStatus: { ...emptyDsn, status: '4.4.1', reason: 'connect: Connection refused' },
      status: -1,
      stays: false,
    }
  }
  for (let count = 0; count < 8; count += 1) qmgr.send(`T${count}`)
  await waitFor(() => waiting.length === 5)
  for (const go of waiting) go()
  for (let count = 0; count < 8; count += 1) await settled(qmgr, `T${count}`, 'deferred')
  t.ok(
    qmgr.requests.some(
      ({ request }) =>
        request.nexthop === '4.4.1 delivery temporarily suspended: connect: Connection refused',
    ),
  )
})

t.test('QueueManager fills the flow control pipe', async (t) => {
  let tokens = 0
  const flow = {
    take: () => {
      tokens -= 1
      return true
    },
    put: (count: number) => {
      tokens += count
    },
    count: () => tokens,
  }
  const qmgr = makeFixture(t, { default_process_limit: '7' }, flow)
  qmgr.agent('smtp')
  qmgr.send('U1')
  await settled(qmgr, 'U1')
  t.equal(tokens, 7)
  tokens = 9
  qmgr.manager.trigger('W')
  await waitFor(() => tokens === 7)
})

t.test('QueueManager survives a file that was removed meanwhile', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.deliver = () => {
    rmSync('active/V1')
    return leftOver
  }
  qmgr.send('V1')
  await waitFor(() => qmgr.log.lines.some((line) => line.includes('V1: the queue file is gone')))
  qmgr.deliver = () => delivered
  qmgr.send('V2')
  await settled(qmgr, 'V2')
})
