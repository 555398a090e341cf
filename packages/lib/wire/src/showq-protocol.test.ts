/**
 * showq-protocol.test - a listing goes over a socket pair
 */
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import t from 'tap'
import { Channel } from './channel.ts'
import {
  encodeQueueEntryHead,
  encodeQueueEntryRecipient,
  endOfListing,
  endOfQueueEntry,
  readQueueListing,
  showqProtocol,
  type QueueEntry,
} from './showq-protocol.ts'
import { AttrError } from './wire-error.ts'

function pair(): [Channel, Channel] {
  const [a, b] = socketPair()
  return [
    new Channel(new ByteStream(a, { timeoutMs: 5_000 })),
    new Channel(new ByteStream(b, { timeoutMs: 5_000 })),
  ]
}

t.test('showq: a long listing comes message by message', async (t) => {
  const [server, client] = pair()
  server.announce(showqProtocol)
  const head = {
    queueName: 'deferred',
    queueId: 'X',
    timeSeconds: 1,
    sizeBytes: 2,
    forcedExpire: 0,
    sender: 'a@b',
  }
  const send = async (): Promise<void> => {
    for (const count of [0, 1, 30_000]) {
      server.send(encodeQueueEntryHead(head))
      for (let index = 0; index < count; index += 1) {
        server.send(encodeQueueEntryRecipient({ recipient: `user${index}@b`, reason: '' }))
      }
      server.send(endOfQueueEntry)
      await server.stream.flush()
    }
    server.send(endOfListing)
    await server.stream.end()
  }
  const sent = send()
  await client.expectAnnouncement(showqProtocol)
  const entries: QueueEntry[] = []
  for await (const entry of readQueueListing(client)) entries.push(entry)
  await sent
  t.same(
    entries.map((entry) => entry.recipients.length),
    [0, 1, 30_000],
  )
  t.equal(entries[2]?.recipients[29_999]?.recipient, 'user29999@b')
  client.close()
})

t.test('showq: a listing that breaks off is an error', async (t) => {
  const [server, client] = pair()
  await server.stream.end()
  await t.rejects(readQueueListing(client).next(), AttrError)
  client.close()
})
