import t from 'tap'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { waitFor } from '@posthorn/testing/wait-for'
import { DeliveryReplyList, receiveDeliveryRequest } from '@posthorn/wire/delivery-request'
import { delivered, QmgrFixture } from './qmgr-fixture.ts'

function makeFixture(
  test: Parameters<typeof temporaryDirectory>[0],
  settings?: Record<string, string>,
): QmgrFixture {
  return new QmgrFixture(test, temporaryDirectory(test), settings)
}

/** Waits until the message stands in the deferred queue. */
async function deferred(qmgr: QmgrFixture, id: string): Promise<void> {
  await waitFor(() => qmgr.where(id)[0] === 'deferred', `${id}; log: ${qmgr.log.lines.join('\n')}`)
}

t.test('QueueManager: an agent that breaks off', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.agent('smtp')
  qmgr.deliver = async () => Promise.reject(new Error('agent crashed'))
  qmgr.send('S1')
  await deferred(qmgr, 'S1')
  t.ok(qmgr.log.lines.includes('warning: private/smtp socket: malformed response'))
})

t.test('QueueManager logs the feedback of each transport at the window of main.cf', async (t) => {
  const qmgr = makeFixture(t, {
    destination_concurrency_feedback_debug: 'yes',
    smtp_initial_destination_concurrency: '2',
    default_destination_concurrency_negative_feedback: '1/concurrency',
  })
  qmgr.agent('smtp')
  qmgr.send('W1')
  await waitFor(() => qmgr.log.lines.includes('W1: removed'), 'W1 removed')
  t.same(
    qmgr.log.lines.filter((line) => line.includes('feedback type')),
    [
      'smtp: default_destination_concurrency_positive_feedback feedback type 0 value at 5: 1',
      'smtp: default_destination_concurrency_negative_feedback feedback type 1 value at 5: 0.2',
    ],
  )
})

t.test('QueueManager asks an agent that stays again, on the same connection', async (t) => {
  const qmgr = makeFixture(t)
  let connections = 0
  const ids: string[] = []
  qmgr.serve('private/smtp', async (channel) => {
    connections += 1
    for (let stays = true; stays;) {
      channel.announce('delivery_request_protocol')
      const received = await receiveDeliveryRequest(channel)
      if (received === undefined) return
      ids.push(received.request.queueId)
      stays = ids.length < 3
      channel.send(DeliveryReplyList.encode({ ...delivered, stays }))
      await channel.receive()
    }
  })
  for (const id of ['Y1', 'Y2', 'Y3']) {
    qmgr.send(id)
    await waitFor(() => qmgr.log.lines.includes(`${id}: removed`), `${id} removed`)
  }
  t.same(ids, ['Y1', 'Y2', 'Y3'])
  t.equal(connections, 1)
})

t.test('QueueManager says what was wrong with the answer of an agent', async (t) => {
  const qmgr = makeFixture(t)
  qmgr.serve('private/smtp', async (channel) => {
    channel.announce('delivery_request_protocol')
    await channel.receive()
    channel.sendList([['what', 'is this']])
    await channel.stream.flush()
  })
  qmgr.send('X1')
  await deferred(qmgr, 'X1')
  const lines = qmgr.log.lines.filter((line) => line.includes('private/smtp socket'))
  t.match(lines, [/socket: Cannot /, 'warning: private/smtp socket: malformed response'])
})
