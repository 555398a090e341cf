/**
 * service-client.test - connections are kept, shared, closed and replaced
 */
import { captureLog } from '@posthorn/log/capture-log'
import t from 'tap'
import { decodeAttrList, encodeAttrList, type AttrList } from './attr-list.ts'
import type { Channel } from './channel.ts'
import { FakeService } from './fake-service.ts'
import { oneShot, PersistentClient } from './service-client.ts'
import { ServiceError } from './wire-error.ts'

const logged = captureLog()
t.teardown(() => {
  logged.restore()
})

const protocol = 'echo_protocol'
const request = (text: string): string => encodeAttrList([['text', text]])
const textOf = (attrs: AttrList): string => attrs[0]?.[1] ?? ''

async function echo(channel: Channel): Promise<void> {
  channel.announce(protocol)
  for (;;) {
    const attrs = await channel.receive()
    if (attrs === undefined) return
    channel.sendList(attrs)
  }
}

t.test('oneShot() asks once and closes', async (t) => {
  using service = FakeService.start(echo)
  t.same(await oneShot(service.path, request('a'), { protocol, timeoutMs: 5_000 }), [['text', 'a']])
  await t.rejects(
    oneShot(service.path, request('a'), { protocol: 'other', timeoutMs: 5_000 }),
    /announcement/,
  )
})

t.test('oneShot() can be given up', async (t) => {
  using service = FakeService.start(async (channel) => {
    channel.announce(protocol)
    await channel.receive()
    await channel.receive()
  })
  const controller = new AbortController()
  const { signal } = controller
  const asked = oneShot(service.path, request('a'), { protocol, timeoutMs: 5_000, signal })
  setImmediate(() => {
    controller.abort()
  })
  await t.rejects(asked)
})

t.test('requests one after the other share a connection', async (t) => {
  using service = FakeService.start(echo)
  const client = new PersistentClient({ path: service.path, protocol, timeoutMs: 5_000 })
  for (const text of ['a', 'b', 'c']) t.equal(await client.ask(request(text), textOf), text)
  t.equal(service.clientCount, 1)
  client.close()
})

t.test('requests at once use a few connections, and all are answered', async (t) => {
  using service = FakeService.start(echo)
  const client = new PersistentClient({
    path: service.path,
    protocol,
    timeoutMs: 5_000,
    maxConnections: 3,
  })
  const texts = Array.from({ length: 100 }, (_, index) => String(index))
  t.same(await Promise.all(texts.map(async (text) => client.ask(request(text), textOf))), texts)
  t.equal(service.clientCount, 3)
  client.close()
})

t.test('a server that hangs up while idle is not noticed by the next request', async (t) => {
  using service = FakeService.start(echo)
  const client = new PersistentClient({ path: service.path, protocol, timeoutMs: 5_000 })
  t.equal(await client.ask(request('a'), textOf), 'a')
  service.hangUp()
  t.equal(await client.ask(request('b'), textOf), 'b')
  t.equal(service.clientCount, 2)
  client.close()
})

t.test('a kept connection that fails under a request is replaced at once', async (t) => {
  let conversations = 0
  using service = FakeService.start(async (channel) => {
    channel.announce(protocol)
    conversations += 1
    const attrs = await channel.receive()
    channel.sendList(attrs ?? [])
    if (conversations === 1) await channel.receive()
  })
  const client = new PersistentClient({ path: service.path, protocol, timeoutMs: 5_000 })
  t.equal(await client.ask(request('a'), textOf), 'a')
  const startedAtMs = Date.now()
  t.equal(await client.ask(request('b'), textOf), 'b')
  t.ok(Date.now() - startedAtMs < 900, 'without the pause of a second')
  client.close()
})

t.test('an idle connection is closed', async (t) => {
  const ended = Promise.withResolvers<undefined>()
  using service = FakeService.start(async (channel) => {
    await echo(channel)
    ended.resolve(undefined)
  })
  const client = new PersistentClient({
    path: service.path,
    protocol,
    timeoutMs: 5_000,
    idleMs: 30,
  })
  t.equal(await client.ask(request('a'), textOf), 'a')
  const keepAlive = setTimeout(() => undefined, 10_000)
  await ended.promise
  clearTimeout(keepAlive)
  t.equal(await client.ask(request('b'), textOf), 'b')
  t.equal(service.clientCount, 2)
  client.close()
})

t.test('a connection beyond its time to live is not used again', async (t) => {
  using service = FakeService.start(echo)
  const client = new PersistentClient({
    path: service.path,
    protocol,
    timeoutMs: 5_000,
    ttlMs: 1,
  })
  await client.converse(async (channel) => {
    await new Promise((resolve) => setTimeout(resolve, 5))
    channel.send(request('a'))
    await channel.receiveReply()
  })
  t.equal(await client.ask(request('b'), textOf), 'b')
  t.equal(service.clientCount, 2)
  client.close()
})

t.test('a failing conversation is tried twice, then the caller is told', async (t) => {
  let tries = 0
  using service = FakeService.start(async (channel) => {
    tries += 1
    channel.announce(protocol)
    await channel.receive()
  })
  const client = new PersistentClient({
    path: service.path,
    protocol,
    timeoutMs: 5_000,
    retryDelayMs: 1,
  })
  await t.rejects(client.ask(request('a'), textOf), ServiceError)
  t.equal(tries, 2)
  tries = 0
  await t.rejects(client.ask(request('a'), textOf, { mayRepeat: () => false }), ServiceError)
  t.equal(tries, 1)
  client.close()
})

t.test('a service that is not there is asked for retryForMs', async (t) => {
  logged.lines.length = 0
  const client = new PersistentClient({
    path: '/nonexistent/service',
    protocol,
    timeoutMs: 5_000,
    retryDelayMs: 5,
    retryForMs: 60,
  })
  await t.rejects(client.ask(request('a'), textOf), { code: 'POSTHORN_SERVICE' })
  t.same(logged.lines, ['warning: connect to /nonexistent/service: No such file or directory'])
  client.close()
})

t.test('waiting for a turn can be given up, and the others get theirs', async (t) => {
  using service = FakeService.start(echo)
  const client = new PersistentClient({
    path: service.path,
    protocol,
    timeoutMs: 5_000,
    maxConnections: 1,
  })
  const controller = new AbortController()
  const first = client.ask(request('1'), textOf)
  const second = client.ask(request('2'), textOf, { signal: controller.signal })
  const third = client.ask(request('3'), textOf)
  controller.abort(new Error('enough'))
  await t.rejects(second, /enough/)
  t.same(await Promise.all([first, third]), ['1', '3'])
  client.close()
})

t.test('a conversation on its way can be given up', async (t) => {
  using service = FakeService.start(async (channel) => {
    channel.announce(protocol)
    await channel.receive()
    await channel.receive()
  })
  const client = new PersistentClient({ path: service.path, protocol, timeoutMs: 5_000 })
  const controller = new AbortController()
  const { signal } = controller
  const asked = client.converse(
    async (channel) => {
      channel.send(request('a'))
      controller.abort(new Error('enough'))
      return channel.receiveReply()
    },
    { signal },
  )
  await t.rejects(asked, /enough/)
  client.close()
})

t.test('a reply that is not understood costs the connection', async (t) => {
  let conversations = 0
  using service = FakeService.start(async (channel) => {
    channel.announce(protocol)
    conversations += 1
    await channel.receive()
    channel.send(conversations === 1 ? 'bad\0\0\0' : request('good'))
  })
  const client = new PersistentClient({
    path: service.path,
    protocol,
    timeoutMs: 5_000,
    retryDelayMs: 1,
  })
  const parse = (attrs: AttrList): string => {
    if (attrs[0]?.[0] !== 'text') throw new Error('not understood')
    return textOf(attrs)
  }
  t.equal(await client.ask(request('a'), parse), 'good')
  t.same(decodeAttrList(request('x'))?.attrs, [['text', 'x']])
  client.close()
})
