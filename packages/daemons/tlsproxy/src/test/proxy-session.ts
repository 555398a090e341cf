/**
 * proxy-session - a conversation with tlsproxy(8) over a socket pair, up to its status
 */
import { socketPair } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { Channel } from '@posthorn/wire/channel'
import { TlsproxyOpening, tlsproxyProtocol, TlsproxyStatus } from '@posthorn/wire/tlsproxy-protocol'
import type { TlsproxyService } from '../tlsproxy-service.ts'

export interface ProxySession {
  readonly channel: Channel
  /** Of the channel: plaintext, once a connection was handed over. */
  readonly plain: ByteStream
  readonly status: number
  /** What the service threw, when it is done with this client. */
  readonly done: Promise<unknown>
}

/** `request`: what follows the opening. Gone with the test. */
export async function openSession(
  t: { teardown: (undo: () => unknown) => unknown },
  service: TlsproxyService,
  opening: Parameters<typeof TlsproxyOpening.encode>[0],
  request = '',
): Promise<ProxySession> {
  const [near, far] = socketPair()
  const server = new ByteStream(far)
  const done = service
    .serve(server)
    .then(() => undefined)
    .catch((error: unknown) => error)
    .finally(() => {
      server.close()
    })
  const channel = new Channel(new ByteStream(near, { timeoutMs: 10_000 }))
  t.teardown(() => {
    channel.close()
  })
  await channel.expectAnnouncement(tlsproxyProtocol)
  channel.send(TlsproxyOpening.encode(opening) + request)
  const { status } = TlsproxyStatus.parse(await channel.receiveReply())
  return { channel, plain: channel.stream, status, done }
}
