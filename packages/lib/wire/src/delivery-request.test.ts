/**
 * delivery-request.test - a queue manager and an agent talk to each other
 */
import t from 'tap'
import { deliveryRequest } from '@posthorn/testing/delivery-request'
import { emptyDsn } from './attr-groups.ts'
import { Channel } from './channel.ts'
import {
  deliveryProtocol,
  DeliveryReplyList,
  encodeDeliveryRequest,
  receiveDeliveryReply,
  receiveDeliveryRequest,
  type Recipient,
} from './delivery-request.ts'
import { FakeService } from './fake-service.ts'
import { AttrError } from './wire-error.ts'

const timeoutMs = 5_000

const request = deliveryRequest({
  queueId: '0F8E21C1C8',
  dataOffset: 453,
  sizeBytes: 177,
  nexthop: 'remote.example',
  encoding: '7bit',
  sender: 'from@example.test',
})
const recipients: Recipient[] = ['a@b', 'c@d'].map((recipient) => ({
  originalRecipient: '',
  recipient,
  offset: 100,
  dsnOriginalRecipient: '',
  notifyFlags: 0,
}))

t.test('delivery: a request, a reply, and clients that change their mind', async (t) => {
  const outcomes: unknown[] = []
  using service = FakeService.start(async (channel) => {
    channel.announce(deliveryProtocol)
    const received = await receiveDeliveryRequest(channel).catch((error: unknown) => error)
    outcomes.push(received)
    if (received === undefined || received instanceof Error) return
    const hopStatus = { ...emptyDsn, status: '4.4.1', reason: 'no route' }
    channel.send(DeliveryReplyList.encode({ hopStatus, status: -1, stays: false }))
    t.equal(await channel.receive(), undefined, 'waits for the end')
  })
  const connect = async (): Promise<Channel> =>
    Channel.connect(service.path, { protocol: deliveryProtocol, timeoutMs })
  const channel = await connect()
  channel.send(encodeDeliveryRequest(request, recipients))
  t.match(await receiveDeliveryReply(channel), {
    hopStatus: { status: '4.4.1', reason: 'no route' },
    status: -1,
  })
  channel.close()
  t.same(outcomes.pop(), { request, recipients })

  const changedMind = await connect()
  changedMind.close()
  const wire = encodeDeliveryRequest(request, recipients)
  for (const bad of [
    encodeDeliveryRequest(request, []),
    wire.slice(0, wire.indexOf('original_recipient')),
    wire.replace('smtputf8', 'sendopts'),
  ]) {
    const broken = await connect()
    broken.send(bad)
    await broken.stream.flush()
    broken.close()
  }
  while (outcomes.length < 4) await new Promise((resolve) => setImmediate(resolve))
  t.equal(outcomes.filter((outcome) => outcome === undefined).length, 1)
  t.equal(outcomes.filter((outcome) => outcome instanceof AttrError).length, 3)
})
