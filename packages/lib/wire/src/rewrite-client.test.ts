import t from 'tap'
import { Acceptor, listenOn } from '@posthorn/native/socket'
import { ByteStream } from '@posthorn/stream/byte-stream'
import { temporaryDirectory } from '@posthorn/testing/temporary-directory'
import { Channel } from './channel.ts'
import {
  parseRewriteRequest,
  ResolveReplyList,
  RewriteClient,
  rewriteProtocol,
} from './rewrite-protocol.ts'

t.test('who asks the same at the same time waits for one answer', async (t) => {
  const path = `${temporaryDirectory(t)}/rewrite`
  const asked: string[] = []
  const gate = Promise.withResolvers<undefined>()
  const serve = async (channel: Channel): Promise<void> => {
    channel.announce(rewriteProtocol)
    for (;;) {
      const attrs = await channel.receive()
      if (attrs === undefined) break
      const { address } = parseRewriteRequest(attrs)
      asked.push(address)
      await gate.promise
      channel.send(
        ResolveReplyList.encode({
          serverFlags: 0,
          transport: 'smtp',
          nexthop: 'b.test',
          recipient: address,
          flags: 0,
        }),
      )
    }
    channel.close()
  }
  const acceptor = new Acceptor(listenOn({ family: 'unix', path }, { backlog: 5 }), (client) => {
    serve(new Channel(new ByteStream(client))).catch((error: unknown) => {
      t.threw(error)
    })
  })
  acceptor.resume()
  const client = new RewriteClient({ path, timeoutMs: 5000 })
  t.teardown(() => {
    client.close()
    acceptor.close()
  })
  const answers = ['x@b.test', 'x@b.test', 'y@b.test'].map(async (address) =>
    client.resolve('s@a.test', address),
  )
  const other = client.resolve('other@a.test', 'x@b.test')
  gate.resolve(undefined)
  t.same(
    (await Promise.all([...answers, other])).map(({ recipient }) => recipient),
    ['x@b.test', 'x@b.test', 'y@b.test', 'x@b.test'],
  )
  t.same(asked.sort(), ['x@b.test', 'x@b.test', 'y@b.test'], 'the sender belongs to the question')
  await client.resolve('s@a.test', 'x@b.test')
  t.equal(asked.length, 3, 'and the answer is remembered')
})
