import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import type { Descriptor } from './descriptor.ts'
import {
  Acceptor,
  connectResult,
  connectTo,
  listenOn,
  localAddress,
  peerAddress,
  setKeepAlive,
  setNoDelay,
  type SocketAddress,
} from './socket.ts'
import { SystemError } from './system-error.ts'

const anyPort: SocketAddress = { family: 'inet', address: '127.0.0.1', port: 0 }

async function connected(address: SocketAddress): Promise<Descriptor> {
  const d = connectTo(address)
  if (d.maybeWritable) return d
  await new Promise<void>((resolve) => {
    d.watch(() => {
      resolve()
    })
  })
  try {
    connectResult(d)
  } catch (error) {
    d.close()
    throw error
  }
  return d
}

t.test('connectTo() and listenOn() keep to the buffers that they are given', async (t) => {
  const taken: number[] = []
  for (const windowBytes of [0, 4096]) {
    const listener = listenOn(anyPort, { backlog: 5, windowBytes })
    const d = connectTo(localAddress(listener), undefined, windowBytes)
    // the kernel shakes hands on its own, and nobody reads
    const octets = 'x'.repeat(200_000)
    let count = 0
    for (let turn = 0; turn < 10; turn++) count += d.write(octets)
    taken.push(count)
    d.close()
    listener.close()
  }
  const [usual = 0, small = 0] = taken
  t.ok(small > 0 && small < 60_000, `${small} octets with small buffers`)
  t.ok(small * 2 < usual, `and ${usual} without`)
  await Promise.resolve()
})

t.test('connectTo() and Acceptor over inet', async (t) => {
  const listener = listenOn(anyPort, { backlog: 5, reusePort: true, windowBytes: 32_768 })
  const address = localAddress(listener)
  const accepted = new Promise<[Descriptor, SocketAddress]>((resolve) => {
    const acceptor = new Acceptor(listener, (client, peer) => {
      acceptor.close()
      resolve([client, peer])
    })
    acceptor.resume()
  })
  const client = await connected(address)
  const [server, peer] = await accepted
  t.same(peer, localAddress(client))
  t.same(peerAddress(client), address)
  setKeepAlive(server)
  setNoDelay(server)
  server.write('hello')
  server.close()
  client.close()
})

t.test('inet6 addresses', async (t) => {
  const listener = listenOn({ family: 'inet6', address: '::1', port: 0 }, { backlog: 5 })
  const address = localAddress(listener)
  t.match(address, { family: 'inet6', address: '::1' })
  const client = await connected(address)
  t.same(peerAddress(client), address)
  client.close()
  listener.close()
})

t.test('a refused connection says so', async (t) => {
  const listener = listenOn(anyPort, { backlog: 5 })
  const address = localAddress(listener)
  listener.close()
  await t.rejects(connected(address), {
    code: 'ECONNREFUSED',
    syscall: 'connect',
    reason: 'Connection refused',
  })
})

t.test('connectTo() can bind, and tells a failed bind from a failed connect', (t) => {
  const bind: SocketAddress = { family: 'inet', address: '192.0.2.1', port: 0 }
  t.throws(() => connectTo(anyPort, bind), { code: 'EADDRNOTAVAIL', syscall: 'bind' })
  t.throws(() => connectTo({ family: 'inet', address: 'localhost', port: 1 }), TypeError)
  t.throws(() => connectTo({ family: 'inet', address: '127.0.0.1', port: 70_000 }), TypeError)
  t.end()
})

t.test('Acceptor leaves connections in the backlog while paused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'posthorn-native-'))
  const path: SocketAddress = { family: 'unix', path: join(folder, 'socket') }
  const listener = listenOn(path, { backlog: 5 })
  const waiting: ((client: Descriptor) => void)[] = []
  let count = 0
  const acceptor = new Acceptor(listener, (client) => {
    count++
    client.close()
    waiting.shift()?.(client)
  })
  const next = async (): Promise<Descriptor> => new Promise((resolve) => waiting.push(resolve))
  const clients = [connectTo(path), connectTo(path)]
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  t.equal(count, 0, 'starts paused')
  const first = next()
  acceptor.resume()
  acceptor.resume()
  await first
  acceptor.pause()
  await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
  t.equal(count, 1, 'one per wake-up')
  const second = next()
  acceptor.resume()
  await second
  t.equal(count, 2)
  acceptor.close()
  for (const client of clients) client.close()
  t.throws(() => connectTo(path), { code: 'ECONNREFUSED' })
  rmSync(folder, { recursive: true })
})

t.test('1000 failing connects and binds leak nothing', (t) => {
  const before = readdirSync('/proc/self/fd').length
  for (let i = 0; i < 500; i++) {
    t.throws(() => connectTo({ family: 'unix', path: '/nonexistent/socket' }), SystemError)
    t.throws(
      () => listenOn({ family: 'unix', path: '/nonexistent/socket' }, { backlog: 1 }),
      SystemError,
    )
  }
  t.equal(readdirSync('/proc/self/fd').length, before)
  t.end()
})
